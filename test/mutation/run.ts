// `npm run mutate [-- balancing libs/consul/src/registry]`: changes the code in one place after the other, and sees whether a test notices: a unit test, or
// else, unless `--unit` is given, a suite of a whole app on the embedded Consul.
import { availableParallelism } from 'node:os';
import { existsSync } from 'node:fs';
import { join, normalize } from 'node:path';
import type { Mutant } from './instrument.js';
import { judge, type JudgedMutant, type JudgeOptions, type Verdict } from './judge.js';
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
/** Of the suites of whole apps: further ones take most of the time. */
const LONGEST_TEST_MS = 3_000;
const NOTICED: ReadonlySet<Verdict> = new Set(['killed', 'timed out']);

const out = (line: string): void => void process.stdout.write(`${line}\n`);

process.env.ROOKERY_TEST_CONSUL = 'embedded';

async function main(): Promise<number> {
  const isUnitOnly = process.argv.includes('--unit');
  const asked = process.argv.slice(2).filter((argument) => argument !== '--unit');
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
  const byUnit = await stage('unit tests', tree.mutants, { suites: tree.suites });
  const open = isUnitOnly ? [] : byUnit.filter(({ verdict }) => isUnnoticed(verdict));
  const byApps = new Map<number, Verdict>();
  for (const { id, verdict } of open.length === 0
    ? []
    : await stage('suites on the embedded Consul', open, {
        suites: tree.embeddedSuites,
        longestTestMs: LONGEST_TEST_MS,
      }))
    byApps.set(id, verdict);
  const judged = byUnit.map((mutant) => ({ ...mutant, verdict: byApps.get(mutant.id) ?? mutant.verdict }));
  let isReached = true;
  for (const path of paths) {
    const mine = judged.filter(({ file }) => isIn(path, file));
    const units = scoreOf(byUnit.filter(({ file }) => isIn(path, file)));
    out(`\n${path}  (${(units * 100).toFixed(0)} % by unit tests alone)`);
    for (const file of new Set(mine.map((mutant) => mutant.file)))
      out(`  ${row(mine.filter((mutant) => mutant.file === file))}  ${file.slice(path.length + 1)}`);
    out(`  ${row(mine)}  all of it`);
    isReached &&= scoreOf(mine) >= TARGET;
  }
  out('\nthose that no test noticed:');
  for (const { verdict, file, line, original, replacement } of judged)
    if (isUnnoticed(verdict)) out(`${file}:${line}  ${verdict.padEnd(11)}  ${original}  ->  ${replacement}`);
  return isReached ? 0 : 1;
}

async function stage(
  name: string,
  mutants: readonly Mutant[],
  options: Pick<JudgeOptions, 'suites' | 'longestTestMs'>,
): Promise<readonly JudgedMutant[]> {
  let told = 0;
  return judge(mutants, {
    ...options,
    processes: Math.min(2, availableParallelism()),
    onVerdict: (done, of) => {
      const tenth = Math.floor((10 * done) / of);
      if (tenth > told) process.stderr.write(`${name}: ${tenth * 10} %\n`);
      told = Math.max(told, tenth);
    },
    onUnusable: (test, reason) =>
      out(`not used, since it fails without a mutant: ${test}: ${reason.slice(0, 300)}`),
  });
}

function isUnnoticed(verdict: Verdict): boolean {
  return verdict === 'survived' || verdict === 'not covered';
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
