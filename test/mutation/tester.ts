// A process that has loaded unit tests and all mutants, and runs tests against one mutant after the other.
import { basename } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
// The modules that the code under test has, too.
import { activate, observe } from './active-mutant.js';
import { collect } from './jest-globals.js';
import { plan, runAlone, type PlannedTest } from './test-run.js';
import type {
  Loading,
  ObservedTest,
  TestedMutant,
  TesterReply,
  TesterRequest,
  UnusableSuite,
} from './tester-protocol.js';

let tests: readonly (PlannedTest & { readonly file: string })[] = [];
/** What failed outside of a test. */
let stray: unknown;
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => (stray = error));

process.on('message', (request: TesterRequest) => {
  const handled =
    request.type === 'load'
      ? load(request)
      : test(request).then((failed) => ({ type: 'tested', failed }) as const);
  void handled
    .catch((error: unknown): TesterReply => ({ type: 'failed', reason: inspect(error) }))
    .then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit());

async function load({ suites, observesForMs }: Loading): Promise<TesterReply> {
  const endImports = observe();
  const collected = [];
  const unusable: UnusableSuite[] = [];
  for (const file of suites)
    try {
      collected.push({ file, suite: await collect(basename(file), () => import(pathToFileURL(file).href)) });
    } catch (error) {
      unusable.push({ file, reason: inspect(error) });
    }
  const atImport = [...endImports().keys()];
  tests = collected.flatMap(({ file, suite }) => plan(suite).map((planned) => ({ ...planned, file })));
  const observed: ObservedTest[] = [];
  for (const each of observesForMs === undefined ? [] : tests) {
    const end = observe();
    const begun = performance.now();
    const failure = await failureOf(each, observesForMs ?? 0);
    const tookMs = performance.now() - begun;
    observed.push({ name: each.name, file: each.file, tookMs, covered: [...end()], failure });
  }
  return { type: 'loaded', tests: observed, unusable, atImport };
}

async function test({ mutant, limit, tests: numbers, timeoutMs }: TestedMutant): Promise<number | undefined> {
  try {
    for (const number of numbers) {
      activate(mutant, limit);
      const planned = tests[number];
      if (!planned) throw new Error(`there is no test ${number}`);
      if ((await failureOf(planned, timeoutMs)) !== undefined) return number;
    }
    return undefined;
  } finally {
    activate(0);
  }
}

async function failureOf(planned: PlannedTest, timeoutMs: number): Promise<string | undefined> {
  stray = undefined;
  try {
    await runAlone(planned, timeoutMs);
  } catch (error) {
    return inspect(error);
  }
  return stray === undefined ? undefined : inspect(stray);
}
