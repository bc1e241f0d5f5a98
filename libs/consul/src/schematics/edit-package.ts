import { SchematicError } from './source-edit.js';

interface PackageFile {
  name?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** What an app on this version of Nest needs beside `@rookery/consul`. */
const NEEDED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  11: { '@nestjs/axios': '^4.0.0', '@nestjs/terminus': '^11.0.0', axios: '^1.0.0' },
  12: { '@nestjs/axios': '^12.0.0', '@nestjs/terminus': '^12.0.0', axios: '^1.0.0' },
};

/** RFC 1123, 2.1. */
const LONGEST_LABEL = 63;

/** The name of a service, as DNS can find it, from the name of a package. */
export function serviceName(packageName: string | undefined): string {
  const label = (packageName ?? '')
    .replace(/^@[^/]*\//, '')
    .toLowerCase()
    .replaceAll(/[^a-z\d-]+/g, '-')
    .slice(0, LONGEST_LABEL)
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? 'app' : label;
}

/**
 * The `package.json` with the packages that are missing; the same where none is.
 *
 * @throws SchematicError where it is no app on Nest 11 or 12
 */
export function withPeers(text: string): { readonly text: string; readonly packageName: string | undefined } {
  const file = parse(text);
  const { dependencies = {}, devDependencies = {} } = file;
  const core = dependencies['@nestjs/core'] ?? devDependencies['@nestjs/core'];
  const major = /\d+/.exec(core ?? '')?.[0] ?? '';
  const needed = NEEDED[major];
  if (!needed)
    throw new SchematicError(
      `package.json: @nestjs/core is ${core === undefined ? 'missing' : `"${core}"`}; Rookery needs Nest 11 or 12`,
    );
  const missing = Object.entries(needed).filter(
    ([name]) => !(name in dependencies) && !(name in devDependencies),
  );
  if (missing.length === 0) return { text, packageName: file.name };
  const sorted = Object.entries({ ...dependencies, ...Object.fromEntries(missing) }).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const changed = { ...file, dependencies: Object.fromEntries(sorted) };
  return { text: `${JSON.stringify(changed, null, 2)}\n`, packageName: file.name };
}

function parse(text: string): PackageFile {
  try {
    return JSON.parse(text) as PackageFile;
  } catch (error) {
    throw new SchematicError(`package.json: ${error instanceof Error ? error.message : String(error)}`);
  }
}
