// The bill of materials of a library, `sbom.cdx.json` in its package: what is installed with it, by the lock file. Each `npm pack` writes it anew; the same
// lock file gives the same bytes. The one that `npm sbom` writes leaves out what several packages share.
import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

/** The key of a dependency in the lock file, as Node would find it from a folder. */
function resolve(name, from) {
  for (let folder = from; ; folder = folder.replace(/(^|\/)(node_modules\/)?(@[^/]+\/)?[^/]+$/, '')) {
    const key = [folder, 'node_modules', name].filter(Boolean).join('/');
    const found = packages[key];
    if (found) return found.link ? found.resolved : key;
    if (folder === '') throw new Error(`${name}, which ${from} depends on, is not in package-lock.json`);
  }
}

function referenceOf(key) {
  const { version, name = key.split('node_modules/').at(-1) } = packages[key];
  return { name, version, purl: `pkg:npm/${name.replace('@', '%40')}@${version}` };
}

function componentOf(key) {
  const { integrity = '', license } = packages[key];
  const [, digest] = /^sha512-(.+)$/.exec(integrity) ?? [];
  const { name, version, purl } = referenceOf(key);
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    ...(digest
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] }
      : {}),
    ...(license
      ? { licenses: [/[ (]/.test(license) ? { expression: license } : { license: { id: license } }] }
      : {}),
  };
}

const library = relative(root, process.cwd()).replaceAll('\\', '/');
const found = new Map();
const visit = (key) => {
  if (found.has(key)) return;
  const names = Object.keys(packages[key].dependencies ?? {}).sort();
  const needed = names.map((name) => resolve(name, key));
  found.set(key, needed);
  needed.forEach(visit);
};
visit(library);

const byPurl = (a, b) => (a.purl < b.purl ? -1 : 1);
const others = [...found.keys()].filter((key) => key !== library);
const bom = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: { component: componentOf(library) },
  components: others.map(componentOf).sort(byPurl),
  dependencies: [...found]
    .map(([key, needed]) => ({
      ref: referenceOf(key).purl,
      dependsOn: needed.map((each) => referenceOf(each).purl),
    }))
    .sort((a, b) => (a.ref < b.ref ? -1 : 1)),
};
writeFileSync('sbom.cdx.json', `${JSON.stringify(bom, undefined, 2)}\n`);
