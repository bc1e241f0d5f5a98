import {
  formatConfigPath,
  parseConfigPath,
  mentionsSecret,
  SECRET_SHOWN,
  type SecretPaths,
  brief,
} from '@rookery/discovery/adapter';
import type { PlannedChange } from './import-plan.js';
import { DOCUMENT } from './key-folder.js';
import { printable } from './table.js';

const SIGNS = { create: '+', update: '~', delete: '-' } as const;

/** One line: `~ config/inventory/limits/rate: "100" → "200"`. */
export function showChange(
  { kind, key, before, after }: Pick<PlannedChange, 'kind' | 'key' | 'before' | 'after'>,
  secrets: SecretPaths,
): string {
  const shown = (value: Buffer): string => showValue(key, value, secrets);
  const values =
    before === undefined
      ? after === undefined
        ? ''
        : shown(after)
      : after === undefined
        ? shown(before)
        : `${shown(before)} → ${shown(after)}`;
  return `${SIGNS[kind]} ${printable(key)}: ${values}`;
}

/** Of a document only its size: a part of it may be a secret. */
export function showValue(key: string, value: Buffer, secrets: SecretPaths): string {
  if (isSecretKey(key, secrets)) return SECRET_SHOWN;
  const text = value.toString('utf8');
  const isDocument = DOCUMENT.test(key) || text.trim().includes('\n') || /^\s*[{[]/.test(text);
  if (isDocument || text.includes('\uFFFD') || mentionsSecret(text)) return `${value.length} bytes`;
  return printable(brief(text));
}

/** Whether the value of a key is a secret. */
export function isSecretKey(key: string, secrets: SecretPaths): boolean {
  const names = key.split('/');
  // Of `config/inventory/db/password` any part may be the path that is called secret.
  return names.some((_, from) => {
    const text = names.slice(from).join('/');
    try {
      return secrets.isSecret(parseConfigPath(formatConfigPath(parseConfigPath(text))));
    } catch {
      return secrets.isSecret([text]);
    }
  });
}
