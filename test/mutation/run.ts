// `npm run mutate [-- balancing libs/consul/src/registry]`: changes the code in one place after the other, and sees whether a unit test notices.
import { availableParallelism } from 'node:os';
import { existsSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { judge, type JudgedMutant, type Verdict } from './judge.js';
import { ROOT, writeTree } from './source-tree.js';

const AREAS: Readonly<Record<string, string>> = {
  balancing: 'libs/discovery/src/balancing',
  calling: 'libs/discovery/src/calling',
  catalog: 'libs/discovery/src/catalog',
  registration: 'libs/discovery/src/registration',
  health: 'libs/discovery/src/health',
  consul: 'libs/consul/src',
};
/** Of the mutants that tests can judge. */
const TARGET = 0.85;
const NOTICED: ReadonlySet<Verdict> = new Set(['killed', 'timed out']);

const out = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const asked = process.argv.slice(2);
  const paths = (asked.length > 0 ? asked : Object.keys(AREAS)).map((name) => AREAS[name] ?? normalize(name));
  const missing = paths.filter((path) => !existsSync(join(ROOT, path)));
  if (missing.length > 0) {
    process.stderr.write(
      `${missing.join(', ')}: neither a file or folder of this repository nor one of ${Object.keys(AREAS).join(', ')}\n`,
    );
    return 2;
  }
  const tree = writeTree((file) => paths.some((path) => isIn(path, file)));
  out(`${tree.mutants.length} mutants in ${paths.join(', ')}`);
  const unchanged = paths.filter((path) => !tree.mutants.some(({ file }) => isIn(path, file)));
  if (unchanged.length > 0) {
    process.stderr.write(`${unchanged.join(', ')}: nothing there that could be changed\n`);
    return 2;
  }
  let told = 0;
  const judged = await judge(tree, {
    processes: Math.min(2, availableParallelism()),
    onVerdict: (done, of) => {
      const tenth = Math.floor((10 * done) / of);
      if (tenth > told) process.stderr.write(`${tenth * 10} %\n`);
      told = Math.max(told, tenth);
    },
    onUnusable: (test, reason) =>
      out(`not used, since it fails without a mutant: ${test}: ${reason.slice(0, 300)}`),
  });
  let isReached = true;
  for (const path of paths) {
    const mine = judged.filter(({ file }) => isIn(path, file));
    out(`\n${path}`);
    for (const file of new Set(mine.map((mutant) => mutant.file)))
      out(`  ${row(mine.filter((mutant) => mutant.file === file))}  ${file.slice(path.length + 1)}`);
    out(`  ${row(mine)}  all of it`);
    isReached &&= scoreOf(mine) >= TARGET;
  }
  out('\nthose that no test noticed:');
  for (const { verdict, file, line, original, replacement } of judged)
    if (verdict === 'survived' || verdict === 'not covered')
      out(`${file}:${line}  ${verdict.padEnd(11)}  ${original}  ->  ${replacement}`);
  return isReached ? 0 : 1;
}

function isIn(path: string, file: string): boolean {
  return file === path || file.startsWith(`${path}/`);
}

function scoreOf(mutants: readonly JudgedMutant[]): number {
  const judgeable = mutants.filter(({ verdict }) => verdict !== 'static');
  return judgeable.length === 0
    ? 1
    : judgeable.filter(({ verdict }) => NOTICED.has(verdict)).length / judgeable.length;
}

function row(mutants: readonly JudgedMutant[]): string {
  const count = (verdict: Verdict): number => mutants.filter((mutant) => mutant.verdict === verdict).length;
  const counts = (['killed', 'timed out', 'survived', 'not covered', 'static'] as const)
    .map((verdict) => `${String(count(verdict)).padStart(4)} ${verdict}`)
    .join(', ');
  return `${(scoreOf(mutants) * 100).toFixed(0).padStart(3)} %  ${counts}`;
}

process.exitCode = await main();
process.exit();
