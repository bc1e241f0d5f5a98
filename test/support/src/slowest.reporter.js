/** @import { AggregatedResult } from '@jest/reporters' */

const SHOWN = 10;

/** A jest reporter: the suites that took longest, so that a slow one is noticed when it is written. */
export default class SlowestReporter {
  /**
   * @param {unknown} _contexts
   * @param {AggregatedResult} results
   */
  onRunComplete(_contexts, { testResults }) {
    if (testResults.length <= SHOWN) return;
    const slowest = testResults
      .map(({ testFilePath, displayName, perfStats }) => ({
        seconds: perfStats.runtime / 1_000,
        suite: `${displayName?.name ?? ''} ${testFilePath.slice(process.cwd().length + 1)}`,
      }))
      .sort((a, b) => b.seconds - a.seconds)
      .slice(0, SHOWN);
    process.stderr.write(
      `\nThe ${SHOWN} slowest suites:\n` +
        slowest.map(({ seconds, suite }) => `  ${seconds.toFixed(1).padStart(6)} s  ${suite}\n`).join(''),
    );
  }
}
