import { randomUUID } from 'node:crypto';

/** No text has it. */
const MARK = randomUUID();
const UNSIGNED = new RegExp(`"${MARK}(\\d+)"`, 'g');

/** JSON, with 64-bit numbers written as numbers, as Go writes them. */
export function renderJson(value: unknown, indent: boolean): string {
  const text = JSON.stringify(
    value,
    (_, part: unknown) => (typeof part === 'bigint' ? `${MARK}${part}` : part),
    indent ? 4 : undefined,
  );
  return text.replace(UNSIGNED, '$1');
}
