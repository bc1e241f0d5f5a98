/** @import { Test } from '@jest/test-result' */
import Sequencer from '@jest/test-sequencer';

// Its types are those of the CommonJS build.
const Base = /** @type {typeof Sequencer.default} */ (/** @type {unknown} */ (Sequencer));

/** What takes longest by what it runs, beside what takes long since it waits: the short suites that come after them keep all workers busy to the end. */
const FIRST = [
  /[\\/]test[\\/]packages[\\/]/,
  /[\\/]test[\\/]faults[\\/]/,
  /[\\/]site\.browser\./,
  /[\\/]lifecycle\./,
];

/** While Jest knows no times it begins with the largest files, and the suites that take longest are not large. */
export default class LongestFirst extends Base {
  /**
   * @override
   * @param {Test[]} tests
   * @returns {Promise<Test[]>}
   */
  async sort(tests) {
    const sorted = await super.sort(tests);
    const turns = sorted.map((test) => ({ test, turn: turnOf(test.path) }));
    return turns.sort((a, b) => a.turn - b.turn).map(({ test }) => test);
  }
}

/**
 * @param {string} path
 * @returns {number}
 */
function turnOf(path) {
  const turn = FIRST.findIndex((pattern) => pattern.test(path));
  return turn < 0 ? FIRST.length : turn;
}
