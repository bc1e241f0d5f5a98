import { dirname } from 'node:path';
import type { Mutant } from './instrument.js';
import type { SourceTree } from './source-tree.js';
import { TesterProcess, Unresponsive, type Loaded } from './tester-process.js';

/** `static`: the code runs when its module is loaded, and the tests of a loaded module cannot tell. */
export type Verdict = 'killed' | 'timed out' | 'survived' | 'not covered' | 'static';

export interface JudgedMutant extends Mutant {
  readonly verdict: Verdict;
}

export interface JudgeOptions {
  readonly processes: number;
  /** After each mutant. */
  readonly onVerdict: (done: number, of: number) => void;
  /** A suite or a test that fails without a mutant. */
  readonly onUnusable: (name: string, reason: string) => void;
}

interface Task {
  readonly mutant: Mutant;
  readonly tests: CoveringTests;
  /** It was killed in a process in which tests failed afterwards without it, too. */
  readonly isDoubted: boolean;
}

interface CoveringTests {
  /** Their numbers, in the order in which they are run. */
  readonly numbers: readonly number[];
  /** How often one of them may come to the mutant. */
  readonly limit: number;
}

interface Kill {
  readonly task: Task;
  readonly by: number;
}

const TEST_MS = 60_000;
/** Those tests of a mutant that take so long together: it survives what they do not notice. The nearest come first. */
const TESTS_MS = 4_000;
/** A loop without an end: the code comes to the mutant so many times as often as without it. */
const LOOP = 100;
const LEAST_LOOP = 1_000;
/** A test may take so many times as long as without a mutant, and a second more. */
const PATIENCE = 5;
const GRACE_MS = 1_000;
/** After so many kills it is seen that the tests still pass. */
const KILLS_BETWEEN_CHECKS = 20;

/** Judges each mutant by the unit tests that come to it. */
export async function judge(
  { mutants, suites }: SourceTree,
  { processes, onVerdict, onUnusable }: JudgeOptions,
): Promise<readonly JudgedMutant[]> {
  const judged: JudgedMutant[] = [];
  const tell = (mutant: Mutant, verdict: Verdict): void => {
    judged.push({ ...mutant, verdict });
    onVerdict(judged.length, mutants.length);
  };
  const first = new TesterProcess({ type: 'load', suites, observesForMs: TEST_MS });
  const loaded = await first.loaded;
  await first.end();
  for (const { file, reason } of loaded.unusable) onUnusable(file, reason);
  for (const { name, failure } of loaded.tests) if (failure !== undefined) onUnusable(name, failure);
  const testsOf = coverage(loaded, mutants);
  const atImport = new Set(loaded.atImport);
  const tasks: Task[] = [];
  for (const mutant of mutants) {
    const tests = testsOf.get(mutant.id);
    if (tests) tasks.push({ mutant, tests, isDoubted: false });
    else tell(mutant, atImport.has(mutant.id) ? 'static' : 'not covered');
  }
  const times = loaded.tests.map(({ tookMs }) => tookMs);
  const work = (): Promise<void> => new Judge(suites, times, tasks, tell).work();
  await Promise.all(Array.from({ length: processes }, work));
  return judged.sort((a, b) => a.id - b.id);
}

/** Takes one task after the other, with a process of its own for the tests. */
class Judge {
  readonly #suites: readonly string[];
  readonly #times: readonly number[];
  readonly #tasks: Task[];
  readonly #tell: (mutant: Mutant, verdict: Verdict) => void;
  #tester: TesterProcess | undefined;
  #kills: Kill[] = [];

  /** @param times how long each test takes without a mutant, in milliseconds */
  constructor(
    suites: readonly string[],
    times: readonly number[],
    tasks: Task[],
    tell: (mutant: Mutant, verdict: Verdict) => void,
  ) {
    this.#suites = suites;
    this.#times = times;
    this.#tasks = tasks;
    this.#tell = tell;
  }

  async work(): Promise<void> {
    for (let task = this.#tasks.shift(); task; task = this.#tasks.shift()) {
      await this.#judge(task);
      const isDue = this.#kills.length >= (task.isDoubted ? 1 : KILLS_BETWEEN_CHECKS);
      if (this.#kills.length > 0 && (isDue || this.#tasks.length === 0)) await this.#check();
    }
    await this.#renew();
  }

  async #judge(task: Task): Promise<void> {
    try {
      const { numbers, limit } = task.tests;
      const by = await this.#test(task.mutant.id, numbers, limit);
      if (by === undefined) this.#tell(task.mutant, 'survived');
      else this.#kills.push({ task, by });
    } catch (error) {
      if (!(error instanceof Unresponsive)) throw error;
      this.#tell(task.mutant, 'timed out');
      // That the tests still passed after those before cannot be seen any more.
      await this.#doubt();
    }
  }

  /** What one mutant leaves open may fail the tests of the next ones. */
  async #check(): Promise<void> {
    const [only] = this.#kills;
    const tests = [...new Set(this.#kills.map(({ by }) => by))];
    const isClean = await this.#test(0, tests, Infinity).then(
      (failed) => failed === undefined,
      (error: unknown) => {
        if (error instanceof Unresponsive) return false;
        throw error;
      },
    );
    // In a process without others before it, it was this one.
    if (isClean || (this.#kills.length === 1 && only?.task.isDoubted)) {
      for (const { task } of this.#kills) this.#tell(task.mutant, 'killed');
      this.#kills = [];
      if (!isClean) await this.#renew();
    } else await this.#doubt();
  }

  async #doubt(): Promise<void> {
    for (const { task } of this.#kills) this.#tasks.push({ ...task, isDoubted: true });
    this.#kills = [];
    await this.#renew();
  }

  async #test(mutant: number, tests: readonly number[], limit: number): Promise<number | undefined> {
    this.#tester ??= new TesterProcess({ type: 'load', suites: this.#suites, observesForMs: undefined });
    await this.#tester.loaded;
    const times = tests.map((test) => this.#times[test] ?? 0);
    const timeoutMs = Math.max(...times) * PATIENCE + GRACE_MS;
    const allMs = times.reduce((sum, time) => sum + time, 0) * PATIENCE;
    return this.#tester.test({ mutant, limit, tests, timeoutMs }, allMs + 10 * GRACE_MS);
  }

  /** The next test is in a new process. */
  async #renew(): Promise<void> {
    const tester = this.#tester;
    this.#tester = undefined;
    await tester?.end();
  }
}

/** The tests that come to each mutant: those of its own file and folder first, and then the fastest, as many as there is time for. */
function coverage({ tests }: Loaded, mutants: readonly Mutant[]): ReadonlyMap<number, CoveringTests> {
  const found = new Map<number, { number: number; times: number }[]>();
  for (const [number, { covered, failure }] of tests.entries())
    for (const [id, times] of failure === undefined ? covered : []) {
      const numbers = found.get(id);
      if (numbers) numbers.push({ number, times });
      else found.set(id, [{ number, times }]);
    }
  const tookMs = (number: number): number => tests[number]?.tookMs ?? 0;
  return new Map(
    mutants.flatMap(({ id, file }) => {
      const covering = found.get(id);
      if (!covering) return [];
      const far = (number: number): number => distance(tests[number]?.file ?? '', file);
      const sorted = covering
        .map(({ number }) => number)
        .sort((a, b) => far(a) - far(b) || tookMs(a) - tookMs(b));
      let sumMs = 0;
      const numbers = sorted.filter((number) => (sumMs += tookMs(number)) <= TESTS_MS);
      const limit = Math.max(...covering.map(({ times }) => times)) * LOOP + LEAST_LOOP;
      return [[id, { numbers: numbers.length > 0 ? numbers : sorted.slice(0, 1), limit }] as const];
    }),
  );
}

/** 0: the test of that file; 1: of its folder; 2: of another one. */
function distance(test: string, file: string): number {
  const own = file.replace(/\.ts$/, '');
  if (test.endsWith(`/${own}.spec.js`)) return 0;
  return dirname(test).endsWith(`/${dirname(file)}`) ? 1 : 2;
}
