import { errorMessage } from '../../errors/error-message.js';
import type { StoredKey } from '../config-store.js';
import { parseConfigPath, type ConfigPath } from '../config-path.js';
import { InvalidContent } from '../problem.js';
import type { SecretPaths } from '../secret-paths.js';
import { isPlainObject } from '../values/plain-values.js';
import type { ConfigTree } from './config-tree.js';
import { FORMAT_OF_EXTENSION, type DocumentFormat, type DocumentReaders } from './documents.js';
import { fillTree, type GivenValue } from './fill-tree.js';
import type { ConfigFormat } from './layer-paths.js';
import type { Property } from './parse-properties.js';
import { textValue } from './text-value.js';

export interface ReadLayerOptions {
  readonly format: ConfigFormat;
  readonly dataKey: string;
  /** Whether a text that looks like a number is one. */
  readonly values: 'typed' | 'text';
  readonly readers: DocumentReaders;
  readonly secrets: SecretPaths;
}

type Entry = Pick<StoredKey, 'key' | 'value'>;

/**
 * The values of one tree of keys.
 *
 * @param path what all its keys begin with
 * @throws InvalidContent with the key and the reason
 */
export function readLayer(path: string, entries: readonly Entry[], options: ReadLayerOptions): ConfigTree {
  switch (options.format) {
    case 'keys':
      return fillTree(keyValues(path, entries, options));
    case 'files':
      return fillTree(fileValues(path, entries, options));
    default:
      return fillTree(
        entries
          .filter(({ key }) => key === path + options.dataKey)
          .flatMap((entry) => [...documentValues(entry, options.format as DocumentFormat, options)]),
      );
  }
}

/** Keys that the format ignores, although someone may have meant them. */
export function ignoredKeys(
  path: string,
  entries: readonly Entry[],
  { format, dataKey }: Pick<ReadLayerOptions, 'format' | 'dataKey'>,
): readonly string[] {
  if (format === 'keys') return [];
  const keys = entries.map(({ key }) => key).filter((key) => !key.endsWith('/'));
  return keys.filter((key) =>
    format === 'files' ? !(key.slice(path.length) in FORMAT_OF_EXTENSION) : key !== path + dataKey,
  );
}

function* keyValues(
  path: string,
  entries: readonly Entry[],
  options: ReadLayerOptions,
): Generator<GivenValue> {
  for (const entry of entries) {
    // What ends with a slash is a folder.
    if (entry.key.endsWith('/')) continue;
    const at = parsePath(entry.key.slice(path.length), entry.key);
    yield { path: at, value: valueOf(textOf(entry), at, options), key: entry.key };
  }
}

function* fileValues(
  path: string,
  entries: readonly Entry[],
  options: ReadLayerOptions,
): Generator<GivenValue> {
  const files = entries.flatMap((entry) => {
    const format = FORMAT_OF_EXTENSION[entry.key.slice(path.length)];
    return format ? [{ entry, format }] : [];
  });
  const [first, second] = files;
  if (first && second)
    throw new InvalidContent(second.entry.key, `there is ${first.entry.key} as well; delete one of them`);
  if (first) yield* documentValues(first.entry, first.format, options);
}

function* documentValues(
  entry: Entry,
  format: DocumentFormat,
  options: ReadLayerOptions,
): Generator<GivenValue> {
  const { key } = entry;
  const document = read(entry, format, options);
  if (format === 'properties') {
    for (const { name, text } of document as readonly Property[]) {
      const path = parsePath(name, key);
      yield { path, value: valueOf(text, path, options), key };
    }
    return;
  }
  if (document === null || document === undefined) return;
  if (!isPlainObject(document)) {
    throw new InvalidContent(key, `must be an object of names and values, such as limits: { rate: 100 }`);
  }
  if (Object.keys(document).length > 0) yield { path: [], value: document, key };
}

function read(entry: Entry, format: DocumentFormat, { readers }: ReadLayerOptions): unknown {
  const text = textOf(entry);
  if (text.trim() === '') return format === 'properties' ? [] : undefined;
  try {
    return readers[format]?.(text);
  } catch (error) {
    throw new InvalidContent(entry.key, errorMessage(error));
  }
}

/** A secret stays the text that it is: a password of digits is no number. */
function valueOf(text: string, path: ConfigPath, { values, secrets }: ReadLayerOptions): unknown {
  return values === 'text' || secrets.isSecret(path) ? text : textValue(text);
}

function parsePath(text: string, key: string): ConfigPath {
  try {
    return parseConfigPath(text);
  } catch (error) {
    throw new InvalidContent(key, errorMessage(error));
  }
}

function textOf({ key, value }: Entry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    throw new InvalidContent(key, 'is not text in UTF-8');
  }
}
