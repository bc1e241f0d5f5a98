// `npm run release`: publishes the packages, all with one version. With --dry-run it says what would be published, and what is in the way.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const isDryRun = process.argv.includes('--dry-run');
const run = (command, args, options = {}) =>
  execFileSync(command, args, { cwd: root, encoding: 'utf8', ...options });

run('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });

const libraries = readdirSync(join(root, 'libs')).filter((name) =>
  statSync(join(root, 'libs', name)).isDirectory(),
);
const manifests = libraries.map((library) =>
  JSON.parse(readFileSync(join(root, 'libs', library, 'package.json'), 'utf8')),
);
const packed = JSON.parse(
  run('npm', ['pack', '--dry-run', '--json', ...libraries.flatMap((library) => ['-w', `libs/${library}`])], {
    env: { ...process.env, ROOKERY_IS_BUILT: 'true' },
    stdio: ['ignore', 'pipe', 'ignore'],
  }),
);
for (const { name, version, size, unpackedSize, entryCount } of Object.values(packed))
  console.log(
    `${name}@${version}: ${entryCount} files, ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked`,
  );

const problems = [
  ...new Set([...ofVersions(), ...ofLockFile(), ...ofChangelog(), ...ofManifests(), ...ofCommit()]),
];
for (const problem of problems) console.log(`in the way: ${problem}`);

if (isDryRun) console.log('nothing was published: --dry-run');
else if (problems.length > 0) process.exitCode = 1;
else
  run('npx', ['changeset', 'publish'], {
    stdio: 'inherit',
    env: { ...process.env, ROOKERY_IS_BUILT: 'true' },
  });

function kilobytes(bytes) {
  return `${Math.round(bytes / 1024)} kB`;
}

function ofVersions() {
  const versions = [...new Set(manifests.map(({ version }) => version))];
  return versions.length === 1
    ? []
    : [`the packages have several versions: ${versions.join(', ')}; run npx changeset version`];
}

/** The bills of materials have the versions of the lock file. */
function ofLockFile() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const isOld = libraries.some((library, n) => packages[`libs/${library}`]?.version !== manifests[n].version);
  return isOld ? ['package-lock.json has other versions of the packages; run npm install'] : [];
}

function ofChangelog() {
  const [{ version }] = manifests;
  const [, heading] = /^## (.*)$/m.exec(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')) ?? [];
  return heading === version || heading?.startsWith(`${version}, 2`)
    ? []
    : [`CHANGELOG.md begins with "${heading}"; it has to be "${version}", with the date`];
}

/** npm signs where a package comes from, for which it has to say so. */
function ofManifests() {
  return manifests.flatMap(({ name, repository, publishConfig }) =>
    publishConfig?.provenance === true && repository === undefined
      ? [`${name}: provenance needs "repository" in its package.json`]
      : [],
  );
}

function ofCommit() {
  const changed = run('git', ['status', '--porcelain']).trim();
  const pending = readdirSync(join(root, '.changeset')).filter((name) => name.endsWith('.md'));
  return [
    ...(changed === '' ? [] : ['there are changes that are not committed']),
    ...(pending.length === 0
      ? []
      : [`changesets are not applied: ${pending.join(', ')}; run npx changeset version`]),
  ];
}
