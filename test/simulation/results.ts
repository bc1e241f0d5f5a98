import { mkdirSync, writeFileSync } from 'node:fs';

const RESULTS = 'test/simulation/results';

/** Writes what a run has found, beside what the others have. @returns the path */
export function writeResult(name: string, text: string): string {
  mkdirSync(RESULTS, { recursive: true });
  const path = `${RESULTS}/${name}`;
  writeFileSync(path, text);
  return path;
}
