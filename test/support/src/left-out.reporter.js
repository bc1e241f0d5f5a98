import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findConsul, HOW_TO_GET_CONSUL } from './find-consul.js';
import { HOW_TO_GET_TOOLS, suitesWithoutTools } from './find-tool.js';

const TESTS = fileURLToPath(new URL('../..', import.meta.url));

/** A jest reporter: says at the end which suites did not run, because there is no real Consul or another program that they need. */
export default class LeftOutReporter {
  onRunComplete() {
    for (const { pattern, missing } of suitesWithoutTools()) {
      const suites = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((name) =>
        new RegExp(pattern).test(name),
      );
      process.stderr.write(
        `\nNOT RUN, because there is no ${missing.join(', ')}: ${suites.length} suites\n` +
          suites.map((name) => `  test/${name}\n`).join('') +
          `To run them: ${HOW_TO_GET_TOOLS}\n`,
      );
    }
    if (findConsul()) return;
    const left = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(both|consul|monitoring|browser)\.e2e-spec\.ts$/.test(name))
      .sort();
    process.stderr.write(
      `\nNOT RUN, because there is no real Consul: ${left.length} suites (those called .both ran on the embedded one)\n` +
        left.map((name) => `  test/${name}\n`).join('') +
        `To run them: ${HOW_TO_GET_CONSUL}\n`,
    );
  }
}
