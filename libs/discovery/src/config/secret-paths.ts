import { parseConfigPath, type ConfigPath } from './config-path.js';

/** What is shown instead of a secret value. */
export const SECRET_SHOWN = '(secret)';
const SECRET_NAME =
  /token|secret|passw|passphrase|pwd|credential|cookie|(private|api|access|signing|encryption|shared).?key|(^|[^a-z])pass$/i;

/** `dbPass`, but not `compass`. */
const CAMEL_CASE = /[a-z0-9]Pass$/;

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) || CAMEL_CASE.test(name);
}

/** Whether a text contains a name of a secret, such as `password=…`. */
export function mentionsSecret(text: string): boolean {
  return isSecretName(text);
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
      path.some((name) => typeof name === 'string' && isSecretName(name)) ||
      this.#patterns.some(
        (pattern) =>
          pattern.length <= path.length &&
          pattern.every((name, at) => name === '*' || String(name) === String(path[at])),
      )
    );
  }

  /** The path without the names below a secret, which may be secrets as well. */
  withoutSecretNames(path: readonly string[]): readonly string[] {
    const end = path.findIndex((_, index) => this.isSecret(path.slice(0, index + 1)));
    return end < 0 ? path : path.slice(0, end + 1);
  }

  /** With more of them, such as the values that were found to contain a secret. */
  with(paths: readonly ConfigPath[]): SecretPaths {
    return paths.length === 0 ? this : new SecretPaths([...this.#patterns, ...paths]);
  }
}
