import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['libs', 'test'];
const SUITE = /\.(e2e-)?spec\.ts$/;

/** The files of tests that carry one of these ids; Jest would load each suite to see that it has none. */
export function suitesOf(ids: RegExp): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => SUITE.test(name) && !/(^|[/\\])(dist|node_modules)[/\\]/.test(name))
      .map((name) => join(folder, name))
      .filter((file) => ids.test(readFileSync(file, 'utf8'))),
  );
}
