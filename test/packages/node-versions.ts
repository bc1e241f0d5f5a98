import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Those that are maintained beside the one of this process, and the newest. */
const WANTED = { node22: '^22', node24: '^24', newest: 'latest' } as const;

export interface NodeVersion {
  /** As it says it, `v24.1.0`. */
  readonly version: string;
  readonly path: string;
}

/** Installs the versions of Node that users have, from the npm registry. @returns that of this process first */
export async function nodeVersions(home: string): Promise<readonly NodeVersion[]> {
  const folder = join(home, 'nodes');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const of = `node-${process.platform}-${process.arch}`;
  const packages = Object.entries(WANTED).map(([name, range]) => `${name}@npm:${of}@${range}`);
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], { cwd: folder });
  const others = Object.keys(WANTED).map((name) => join(folder, 'node_modules', name, 'bin/node'));
  const paths = [process.execPath, ...others];
  const versions = await Promise.all(
    paths.map(async (path) => ({ path, version: (await run(path, ['--version'])).stdout.trim() })),
  );
  // The process may itself be one of them.
  return versions.filter(({ version }, n) => versions.findIndex((each) => each.version === version) === n);
}
