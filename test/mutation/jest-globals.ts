// What the unit tests use of @jest/globals. Jest itself would load all modules anew for each mutant.
import { format } from 'node:util';
import { expect } from 'expect';

export { expect };

type Run = () => unknown;

export interface Test {
  readonly name: string;
  readonly run: Run;
}

export interface Suite {
  readonly name: string;
  readonly suites: Suite[];
  readonly tests: Test[];
  readonly hooks: Record<'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll', Run[]>;
}

const newSuite = (name: string): Suite => ({
  ...{ name, suites: [], tests: [] },
  hooks: { beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] },
});

let current = newSuite('');

/** What the files that are imported in the meantime declare. */
export async function collect(name: string, importing: () => Promise<unknown>): Promise<Suite> {
  const suite = newSuite(name);
  current = suite;
  await importing();
  return suite;
}

function declareSuite(name: string, body: () => void): void {
  const outer = current;
  const suite = newSuite(name);
  outer.suites.push(suite);
  current = suite;
  body();
  current = outer;
}

function declareTest(name: string, run: Run): void {
  current.tests.push({ name, run });
}

/** As `each` of Jest: rows that are arrays are arguments; `%s` and `$field` in the name. */
function each(declare: (name: string, body: () => unknown) => void) {
  return (rows: readonly unknown[]) =>
    (name: string, body: (...row: unknown[]) => unknown): void => {
      for (const row of rows) {
        const values: readonly unknown[] = Array.isArray(row) ? row : [row];
        declare(format(name.replace(/\$\w+/g, '%s'), ...values), () => body(...values));
      }
    };
}

export const describe = Object.assign(declareSuite, { each: each(declareSuite as never) });
export const it = Object.assign(declareTest, { each: each(declareTest) });
export const beforeAll = (run: Run): void => void current.hooks.beforeAll.push(run);
export const beforeEach = (run: Run): void => void current.hooks.beforeEach.push(run);
export const afterEach = (run: Run): void => void current.hooks.afterEach.push(run);
export const afterAll = (run: Run): void => void current.hooks.afterAll.push(run);
