import { describe, expect, it } from '@jest/globals';
import { deadlineOf, eitherSignal, incomingCall, runInCall } from './incoming-call.js';

describe('the request that an app is processing', () => {
  it('is known to what it does, however late', async () => {
    const call = { deadline: 5, isOver: false };
    expect(incomingCall()).toBeUndefined();
    const seen = await runInCall(call, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return incomingCall();
    });
    expect(seen).toBe(call);
  });

  it('has a deadline until it is answered', () => {
    expect(deadlineOf(undefined)).toBe(Infinity);
    expect(deadlineOf({ deadline: 5, isOver: false })).toBe(5);
    expect(deadlineOf({ deadline: 5, isOver: true })).toBe(Infinity);
  });
});

describe('eitherSignal', () => {
  it('is the one that there is', () => {
    const { signal } = new AbortController();
    expect(eitherSignal(signal, undefined)).toBe(signal);
    expect(eitherSignal(undefined, signal)).toBe(signal);
    expect(eitherSignal(undefined, undefined)).toBeUndefined();
  });

  it.each([0, 1])('aborts with either of two', (which) => {
    const controllers = [new AbortController(), new AbortController()] as const;
    const either = eitherSignal(controllers[0].signal, controllers[1].signal);
    let heard = 0;
    let removed = 0;
    const onRemoved = (): number => removed++;
    either?.addEventListener('abort', () => heard++, { once: true });
    either?.addEventListener('abort', onRemoved);
    either?.removeEventListener('abort', onRemoved);
    expect([either?.aborted, either?.reason]).toEqual([false, undefined]);
    const reason = new Error('gone');
    controllers[which]?.abort(reason);
    expect([either?.aborted, either?.reason, heard, removed]).toEqual([true, reason, 1, 0]);
  });
});
