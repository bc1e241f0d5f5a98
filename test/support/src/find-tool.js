// JavaScript, like all that jest itself loads: it runs before anything is built.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where .ci/install-tools puts its binaries. */
const CACHED = fileURLToPath(new URL('../../../.cache/tools/usr/bin', import.meta.url));

/** Debian's name of a program, and others that it has elsewhere. */
const NAMES = {
  prometheus: ['prometheus'],
  promtool: ['promtool'],
  alertmanager: ['prometheus-alertmanager', 'alertmanager'],
  etcd: ['etcd'],
  etcdctl: ['etcdctl'],
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
};

/**
 * A program that some suites need: on `PATH`, or where .ci/install-tools puts it.
 *
 * @param {keyof typeof NAMES} name
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {string | undefined} its path; undefined: this machine has none
 */
export function findTool(name, environment = process.env) {
  const folders = [...(environment.PATH ?? '').split(delimiter), CACHED];
  return NAMES[name].flatMap((each) => folders.map((folder) => join(folder, each))).find(isExecutable);
}

/** The suites that need other programs than Consul, by the end of their names. */
export const SUITES = [
  {
    pattern: '\\.monitoring\\.e2e-spec\\.ts$',
    needs: /** @type {const} */ (['prometheus', 'promtool', 'alertmanager']),
  },
  { pattern: '\\.etcd\\.e2e-spec\\.ts$', needs: /** @type {const} */ (['etcd', 'etcdctl']) },
  { pattern: '\\.browser\\.e2e-spec\\.ts$', needs: /** @type {const} */ (['chromium']) },
];

/** @returns {{ pattern: string, missing: string[] }[]} the suites that cannot run on this machine */
export function suitesWithoutTools() {
  return SUITES.map(({ pattern, needs }) => ({
    pattern,
    missing: needs.filter((name) => !findTool(name)),
  })).filter(({ missing }) => missing.length > 0);
}

export const HOW_TO_GET_TOOLS = 'put them on PATH, or on Debian run .ci/install-tools as root';

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
