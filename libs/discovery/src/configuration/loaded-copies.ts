import { fileOf } from '#here';
import { Logger } from '@nestjs/common';

/** Copies of this package that are in use in this process, each with the file that used it first; shared by all of them. */
const COPIES = Symbol.for('rookery:copies');

type Copies = Map<string, string>;

/**
 * Warns once when two copies of this package are in use: one that is imported and one that is required, or two versions. Their
 * classes look alike and are different injection tokens.
 */
export function noteCopy(
  warn: (message: string) => void = (message) => new Logger('Rookery').warn(message),
): void {
  const shared = globalThis as { [COPIES]?: Copies };
  const copies = (shared[COPIES] ??= new Map());
  const own = fileOf('index.js');
  if (copies.has(own)) return;
  copies.set(own, importer(new Error().stack ?? ''));
  if (copies.size !== 2) return;
  const described = [...copies].map(([copy, by]) => `${copy}, used by ${by}`).join('; and ');
  warn(
    `two copies of @rookery/discovery are loaded: ${described}. Their classes are different injection tokens: ` +
      'either import or require it everywhere, in one version',
  );
}

/** The first file of a stack that is not ours. */
export function importer(stack: string): string {
  const files = [...stack.matchAll(/\(?((?:file:\/\/|\/|[A-Za-z]:\\)[^()]*?):\d+:\d+\)?$/gm)].map(
    ([, file = '']) => file,
  );
  const folder = fileOf('index.js')
    .replace(/index\.js$/, '')
    .replace(/^file:\/\//, '');
  const isOurs = (file: string): boolean =>
    /[\\/]@rookery[\\/]/.test(file) || file.replace(/^file:\/\//, '').startsWith(folder);
  return files.find((file) => !isOurs(file)) ?? 'an unknown file';
}
