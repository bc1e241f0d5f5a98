import { parseConfigPath, type ConfigPath } from './config-path.js';

/** What is shown instead of a secret value. */
export const SECRET_SHOWN = '(secret)';
const SECRET_NAME = /token|secret|passw|passphrase|credential|private.?key|api.?key|access.?key/i;

/** Whether a text contains a name of a secret, such as `password=…`. */
export function mentionsSecret(text: string): boolean {
  return SECRET_NAME.test(text);
}

/** Which values must not be shown: those whose name says so, and those that the user names. */
export class SecretPaths {
  readonly #patterns: readonly ConfigPath[];

  /** @param patterns paths; `*` stands for one name, and each covers everything below it */
  constructor(patterns: readonly (string | ConfigPath)[] = []) {
    this.#patterns = patterns.map((pattern) =>
      typeof pattern === 'string' ? parseConfigPath(pattern) : pattern,
    );
  }

  isSecret(path: ConfigPath): boolean {
    return (
      path.some((name) => typeof name === 'string' && SECRET_NAME.test(name)) ||
      this.#patterns.some(
        (pattern) =>
          pattern.length <= path.length && pattern.every((name, at) => name === '*' || name === path[at]),
      )
    );
  }

  /** The value, with each secret in it replaced. */
  redact(path: ConfigPath, value: unknown): unknown {
    if (this.isSecret(path)) return SECRET_SHOWN;
    if (Array.isArray(value)) return value.map((item: unknown, index) => this.redact([...path, index], item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, part]) => [name, this.redact([...path, name], part)]),
    );
  }

  /** With more of them, such as the values that were found to contain a secret. */
  with(paths: readonly ConfigPath[]): SecretPaths {
    return paths.length === 0 ? this : new SecretPaths([...this.#patterns, ...paths]);
  }
}
