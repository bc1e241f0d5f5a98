import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const LIBRARIES = ['consul', 'dashboard', 'discovery', 'embedded-consul', 'etcd', 'microservices'];

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

describe('a release', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-release-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('says what would be published, and publishes nothing', async () => {
    const { stdout } = await run('npm', ['run', '--silent', 'release', '--', '--dry-run'], { cwd: ROOT });
    const lines = stdout.trim().split('\n');
    const packages = lines.filter((line) => line.startsWith('@'));
    expect(packages.map((line) => /^@rookery\/([\w-]+)@/.exec(line)?.[1])).toEqual(LIBRARIES);
    for (const line of packages) expect(line).toMatch(/: \d+ files, \d+ kB packed, \d+ kB unpacked$/);
    // Of today: whoever changes that changes this line.
    expect(lines).toContain('in the way: @rookery/consul: provenance needs "repository" in its package.json');
    expect(lines.at(-1)).toBe('nothing was published: --dry-run');
  }, 60_000);

  it('gives all packages one version, whichever has changed', async () => {
    for (const name of ['package.json', 'package-lock.json', '.changeset'])
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    for (const group of ['libs', 'apps', 'test/support']) {
      const inner = group === 'test/support' ? [''] : readdirSync(join(ROOT, group));
      for (const name of inner.filter((each) => !each.includes('.'))) {
        mkdirSync(join(folder, group, name), { recursive: true });
        cpSync(join(ROOT, group, name, 'package.json'), join(folder, group, name, 'package.json'));
      }
    }
    writeFileSync(join(folder, '.changeset/a.md'), "---\n'@rookery/etcd': minor\n---\n\nA change.\n");
    await run(process.execPath, [join(ROOT, 'node_modules/@changesets/cli/bin.js'), 'version'], {
      cwd: folder,
    });
    const manifests = LIBRARIES.map(
      (library) =>
        JSON.parse(readFileSync(join(folder, 'libs', library, 'package.json'), 'utf8')) as Manifest,
    );
    const [first] = manifests;
    expect(first?.version).not.toBe('0.1.0');
    expect(new Set(manifests.map(({ version }) => version)).size).toBe(1);
    const ranges = manifests.flatMap(({ dependencies = {} }) =>
      Object.entries(dependencies).flatMap(([name, range]) => (name.startsWith('@rookery/') ? [range] : [])),
    );
    expect(ranges.length).toBeGreaterThan(3);
    expect([...new Set(ranges)]).toEqual([first?.version]);
  }, 60_000);
});
