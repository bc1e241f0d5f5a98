import { parseJsonDocument } from './parse-json.js';
import { parseProperties } from './parse-properties.js';
import type { ConfigFormat } from './layer-paths.js';

/** A format of a whole document. */
export type DocumentFormat = 'json' | 'yaml' | 'properties';

/** The contents of a document: data, or the lines of a `.properties` file. */
export type DocumentReader = (text: string) => unknown;

export type DocumentReaders = Readonly<Partial<Record<DocumentFormat, DocumentReader>>>;

/** The extensions of the format `files`. */
export const FORMAT_OF_EXTENSION: Readonly<Record<string, DocumentFormat>> = {
  yml: 'yaml',
  yaml: 'yaml',
  json: 'json',
  properties: 'properties',
};

/** The readers that a format needs. The YAML library is loaded only where YAML may occur. */
export async function loadReaders(format: ConfigFormat): Promise<DocumentReaders> {
  const readers = { json: parseJsonDocument, properties: parseProperties };
  if (format !== 'yaml' && format !== 'files') return readers;
  const { parseYamlDocument } = await import('./parse-yaml.js');
  return { ...readers, yaml: parseYamlDocument };
}
