/** A path with parameters, as in Nest: `/books/:id`. */
export interface PathTemplate {
  /** The text before each parameter, and after the last one. */
  readonly texts: readonly string[];
  readonly names: readonly string[];
}

const PARAMETER = /:([A-Za-z_]\w*)/g;

export function parsePath(path: string): PathTemplate {
  const texts: string[] = [];
  const names: string[] = [];
  let at = 0;
  for (const match of path.matchAll(PARAMETER)) {
    texts.push(path.slice(at, match.index));
    names.push(match[1] ?? '');
    at = match.index + match[0].length;
  }
  texts.push(path.slice(at));
  const [first = ''] = texts;
  if (!first.startsWith('/')) texts[0] = `/${first}`;
  return { texts, names };
}

/**
 * The path with its values, each of them encoded (RFC 3986, 2.1).
 *
 * @returns the name of a parameter whose value cannot be a part of a path
 */
export function fillPath(
  { texts, names }: PathTemplate,
  values: readonly unknown[],
): { readonly path: string } | { readonly wrong: string } {
  let path = texts[0] ?? '';
  for (let n = 0; n < names.length; n++) {
    const text = textOf(values[n]);
    if (text === undefined) return { wrong: names[n] ?? '' };
    path += encodeURIComponent(text) + (texts[n + 1] ?? '');
  }
  // A URL parser would resolve them, encoded or not: to a path that the template does not have.
  if (names.length > 0 && DOT_SEGMENT.test(path))
    return { wrong: names[values.findIndex((value) => /^\.+$/.test(String(value)))] ?? '' };
  return { path };
}

const DOT_SEGMENT = /\/\.{1,2}(?:[/?#]|$)/;

export function hasDotSegment(path: string): boolean {
  return DOT_SEGMENT.test(path.startsWith('/') ? path : `/${path}`);
}

function textOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      // A lone surrogate has no encoding.
      return value === '' || /\p{Surrogate}/u.test(value) ? undefined : value;
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined;
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : undefined;
  }
}
