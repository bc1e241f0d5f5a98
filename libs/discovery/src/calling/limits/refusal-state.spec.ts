import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { RefusalState } from './refusal-state.js';

describe('RefusalState', () => {
  it('begins with the first refusal, and ends five seconds after the last one', async () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    const state = new RefusalState(clock, {
      onBegin: () => seen.push('begin'),
      onEnd: () => seen.push('end'),
    });
    for (let n = 0; n < 20; n++) {
      state.refused();
      await clock.advance(1_000);
    }
    expect(seen).toEqual(['begin']);
    await clock.advance(3_999);
    expect(seen).toEqual(['begin']);
    await clock.advance(1);
    expect(seen).toEqual(['begin', 'end']);
    state.refused();
    expect(seen).toEqual(['begin', 'end', 'begin']);
    state.close();
    expect(clock.pending).toBe(0);
  });
});
