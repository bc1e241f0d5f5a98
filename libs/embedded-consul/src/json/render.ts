// eslint-disable-next-line no-control-regex -- no text can hold the mark: JSON escapes it
const UNSIGNED = /"\u0000(\d+)\u0000"/g;

/** JSON, with 64-bit numbers written as numbers, as Go writes them. */
export function renderJson(value: unknown, indent: boolean): string {
  const text = JSON.stringify(
    value,
    (_, part: unknown) => (typeof part === 'bigint' ? `\u0000${part}\u0000` : part),
    indent ? 4 : undefined,
  );
  return text.replaceAll('\\u0000', '\u0000').replace(UNSIGNED, '$1');
}
