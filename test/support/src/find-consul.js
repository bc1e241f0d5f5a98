// JavaScript, like all that jest itself loads: it runs before anything is built.
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where .ci/install-consul puts its binary. */
const CACHED = fileURLToPath(new URL('../../../.cache/consul/usr/bin/consul', import.meta.url));

/**
 * The real binary: `CONSUL_BIN`, else `consul` on `PATH`, else the one of .ci/install-consul.
 *
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {string | undefined} its path; undefined: this machine has none
 */
export function findConsul(environment = process.env) {
  const named = environment.CONSUL_BIN;
  if (named) return named;
  const onPath = (environment.PATH ?? '').split(delimiter).map((folder) => join(folder, 'consul'));
  return [...onPath, CACHED].find(isExecutable);
}

/**
 * The version that a binary prints, such as `1.8.7`.
 *
 * @param {string} binary
 * @returns {string}
 */
export function consulVersion(binary) {
  return /v(\d+\.\d+\.\d+)/.exec(execFileSync(binary, ['version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
}

export const HOW_TO_GET_CONSUL =
  'put `consul` on PATH, set CONSUL_BIN to it, or on Debian run .ci/install-consul (Consul 1.8.7, into .cache/)';

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
