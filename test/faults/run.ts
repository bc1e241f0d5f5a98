// `npm run faults [-- F01 F03]`: every test that carries an id of README.md in this folder; prints what must hold, what was done, the result
// and what was measured, and exits 1 if one failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIGURES_VARIABLE, findConsul, HOW_TO_GET_CONSUL } from '@rookery/test-support';
import { readCriteria } from './criteria.js';
import { suitesOf } from './suites-of.js';

interface JestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Of one id. */
const MOST_SHOWN = 40;
const ID = /\bF\d\d\b/;
const RUNS = process.env.CI ? '20' : '100';

async function main(): Promise<number> {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((id) => !/^F\d\d$/.test(id));
  if (unknown.length > 0) {
    process.stderr.write(`${unknown.join(', ')}: not the id of a failure mode; see test/faults/README.md\n`);
    return 2;
  }
  if (!findConsul()) {
    process.stderr.write(
      `The faults are injected into a real Consul, and there is none: ${HOW_TO_GET_CONSUL}\n`,
    );
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'rookery-faults-'));
  const report = join(folder, 'report.json');
  const figures = join(folder, 'figures');
  const ids = wanted.length > 0 ? new RegExp(`\\b(${wanted.join('|')})\\b`) : ID;
  const suites = suitesOf(ids);
  if (suites.length === 0) {
    process.stderr.write(`${wanted.join(', ')}: no test; see test/faults/README.md\n`);
    return 2;
  }
  await runJest(ids, suites, report, figures);
  const failed = print(JSON.parse(readFileSync(report, 'utf8')) as JestReport, readFigures(figures));
  rmSync(folder, { recursive: true });
  return failed ? 1 : 0;
}

function runJest(ids: RegExp, suites: readonly string[], report: string, figures: string): Promise<void> {
  const jest = [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    '--config=jest.config.js',
    '--selectProjects=unit',
    '--selectProjects=real',
    `--testNamePattern=${ids.source}`,
    '--runTestsByPath',
    ...suites,
    '--json',
    `--outputFile=${report}`,
  ];
  const child = spawn(process.execPath, jest, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ROOKERY_RUNS: RUNS, ...process.env, [FIGURES_VARIABLE]: figures },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
}

function readFigures(file: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  try {
    lines = readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    // No test measured anything.
  }
  for (const line of lines) {
    const { id, text } = JSON.parse(line) as { id: string; text: string };
    found.set(id, [...(found.get(id) ?? []), text]);
  }
  return found;
}

/** @returns whether anything failed, or nothing ran */
function print({ testResults }: JestReport, figures: Map<string, string[]>): boolean {
  const tests = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status, fullName }) => status !== 'pending' && ID.test(fullName))
    .map((test) => ({ ...test, id: ID.exec(test.fullName)?.[0] ?? '' }))
    .sort((a, b) => a.id.localeCompare(b.id));
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  out('\nid   result  what was done');
  const criteria = readCriteria(new URL('../README.md', import.meta.url));
  let last = '';
  let shown = 0;
  for (const { id, title, status } of tests) {
    shown = last === id ? shown + 1 : 0;
    if (status === 'passed' && shown > MOST_SHOWN) continue;
    if (shown === MOST_SHOWN) {
      const count = tests.filter((test) => test.id === id).length;
      out(`${id}          and so on: ${count} in all`);
      continue;
    }
    if (last !== id) {
      for (const text of figures.get(last) ?? []) out(`             measured: ${text}`);
      out(`${id}          must hold: ${criteria.get(id) ?? 'not told in README.md'}`);
    }
    out(`${id}  ${status === 'passed' ? 'held  ' : 'FAILED'}  ${title.replace(ID, '').trim()}`);
    last = id;
  }
  for (const text of figures.get(last) ?? []) out(`             measured: ${text}`);
  const failed = tests.filter(({ status }) => status !== 'passed');
  for (const { fullName, failureMessages } of failed) out(`\n${fullName}\n${failureMessages.join('\n')}`);
  // A suite that could not start has no failed tests.
  const broken = testResults.filter(
    ({ assertionResults, message }) => assertionResults.length === 0 && message,
  );
  for (const { message } of broken) out(message);
  out(`\nsurvived: ${tests.length - failed.length} of ${tests.length}`);
  return failed.length > 0 || broken.length > 0 || tests.length === 0;
}

process.exitCode = await main();
