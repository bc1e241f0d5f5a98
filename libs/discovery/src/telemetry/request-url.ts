/**
 * A path as it may be shown: parameters of the query have their names, and not their values, which may be secret or personal. What
 * cannot be parsed has no query.
 */
export function shownPath(path: string): string {
  const start = path.indexOf('?');
  if (start < 0) return path;
  const names = path
    .slice(start + 1)
    .split('&')
    .map((pair) => pair.split('=', 1)[0] ?? '')
    .filter((name) => name !== '');
  return (
    path.slice(0, start) + (names.length > 0 ? `?${names.map((name) => `${name}=REDACTED`).join('&')}` : '')
  );
}

const METHODS: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
]);

/** Of the semantic conventions: a method that is not known is not a value of an attribute. */
export function knownMethod(method: string): string | undefined {
  return METHODS.has(method) ? method : undefined;
}
