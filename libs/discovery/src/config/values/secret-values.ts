import type { ConfigPath } from '../config-path.js';
import { SECRET_SHOWN, type SecretPaths } from '../secret-paths.js';
import { isContainer } from './plain-values.js';

/** Shorter ones occur in any text. */
const MIN_LENGTH = 4;

/** The secret values of a version, to find them in texts: in the message of a schema, or in a value that was made of them. */
export class SecretValues {
  readonly #texts: readonly string[];
  readonly #paths: SecretPaths;

  constructor(values: unknown, paths: SecretPaths) {
    this.#paths = paths;
    const texts = new Set<string>();
    collect(values, [], paths, texts);
    // Longer ones first: one may be a part of another.
    this.#texts = [...texts].sort((a, b) => b.length - a.length);
  }

  /** The text without the secret values in it. */
  redactText(text: string): string {
    return this.#texts.reduce((redacted, secret) => redacted.replaceAll(secret, SECRET_SHOWN), text);
  }

  /** The value, with each secret in it replaced. */
  redact(path: ConfigPath, value: unknown): unknown {
    if (this.#paths.isSecret(path)) return value === undefined ? undefined : SECRET_SHOWN;
    if (typeof value === 'string') return this.redactText(value);
    if (Array.isArray(value)) return value.map((item: unknown, index) => this.redact([...path, index], item));
    if (isContainer(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, part]) => [
          this.redactText(name),
          this.redact([...path, name], part),
        ]),
      );
    }
    // A schema may have made a number of it.
    if (typeof value === 'number') return this.#texts.includes(String(value)) ? SECRET_SHOWN : value;
    if (typeof value !== 'object' || value === null || value instanceof Date) return value;
    // An instance of another class may hold anything: it is shown as its text, if it has one.
    const text =
      value instanceof URL || value instanceof RegExp ? String(value) : `(${value.constructor.name})`;
    return this.redactText(text);
  }
}

function collect(value: unknown, path: ConfigPath, paths: SecretPaths, texts: Set<string>): void {
  if (typeof value === 'object' && value !== null) {
    for (const [name, part] of Object.entries(value)) collect(part, [...path, name], paths, texts);
    return;
  }
  const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  if (!isScalar || !paths.isSecret(path)) return;
  const text = String(value);
  if (text.length < MIN_LENGTH) return;
  texts.add(text);
  // As it stands in JSON, and in a URL.
  texts.add(JSON.stringify(text).slice(1, -1));
  // Half of a pair has no form in a URL.
  texts.add(encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\uFFFD')));
  texts.add(Buffer.from(text).toString('base64'));
}
