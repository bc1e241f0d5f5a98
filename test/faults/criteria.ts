import { readFileSync } from 'node:fs';

/** What must hold, by id: the last column of the table. */
export function readCriteria(file: URL): ReadonlyMap<string, string> {
  const rows = readFileSync(file, 'utf8').matchAll(/^\| (F\d\d) \|[^|]*\|([^|]*)\|$/gm);
  return new Map(Array.from(rows, ([, id = '', criterion = '']) => [id, criterion.trim()]));
}
