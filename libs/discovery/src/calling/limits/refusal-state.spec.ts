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

  it('begins again after each end, and not at all any more once it is closed', async () => {
    const clock = new FakeClock();
    const heard: string[] = [];
    const state = new RefusalState(clock, {
      onBegin: () => heard.push('begin'),
      onEnd: () => heard.push('end'),
    });
    state.refused();
    await clock.advance(3_000);
    state.refused();
    await clock.advance(4_999);
    expect(heard).toEqual(['begin']);
    await clock.advance(1);
    expect(heard).toEqual(['begin', 'end']);
    state.refused();
    await clock.advance(5_000);
    expect(heard).toEqual(['begin', 'end', 'begin', 'end']);
    state.refused();
    state.close();
    state.close();
    await clock.advance(60_000);
    expect([heard.length, clock.pending]).toEqual([5, 0]);
    state.refused();
    expect(heard).toHaveLength(6);
    state.close();
  });
});
