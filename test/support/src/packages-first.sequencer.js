/** @import { Test } from '@jest/test-result' */
import Sequencer from '@jest/test-sequencer';

// Its types are those of the CommonJS build.
const Base = /** @type {typeof Sequencer.default} */ (/** @type {unknown} */ (Sequencer));
const PACKAGES = /[\\/]test[\\/]packages[\\/]/;

/** While Jest knows no times it begins with the largest files: the suites that install packages take the longest, and are not large. */
export default class PackagesFirst extends Base {
  /**
   * @override
   * @param {Test[]} tests
   * @returns {Promise<Test[]>}
   */
  async sort(tests) {
    const sorted = await super.sort(tests);
    const [first, others] = [true, false].map((isFirst) =>
      sorted.filter(({ path }) => PACKAGES.test(path) === isFirst),
    );
    return [...(first ?? []), ...(others ?? [])];
  }
}
