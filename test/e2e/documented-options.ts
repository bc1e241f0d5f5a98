import { readFileSync } from 'node:fs';

/** The options that a type declares, and that no table of a page has. */
export function missingOptions(page: string, file: string, type: string): readonly string[] {
  const source = readFileSync(new URL(file, import.meta.url), 'utf8');
  const [, declared] =
    new RegExp(`export interface ${type}(?: extends [\\w, ]+)? \\{(.*?)^\\}`, 'ms').exec(source) ?? [];
  if (declared === undefined) throw new Error(`${file} declares no ${type}`);
  const names = [...declared.matchAll(/^ {2}(\w+)\?:/gm)].map(([, option = '']) => option);
  if (names.length === 0) throw new Error(`${type} has no options`);
  return names.filter((option) => !new RegExp(`^\\| .*\`${option}\`.* \\|`, 'm').test(page));
}
