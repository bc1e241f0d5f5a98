import { describe, expect, it } from '@jest/globals';
import { withScopedSignal } from './scoped-signal.js';

describe('withScopedSignal', () => {
  it('aborts its signal when the function has settled', async () => {
    let inner: AbortSignal | undefined;
    const outer = new AbortController();
    expect(
      await withScopedSignal(outer.signal, async (signal) => {
        inner = signal;
        return signal.aborted;
      }),
    ).toBe(false);
    expect(inner?.aborted).toBe(true);
    expect(outer.signal.aborted).toBe(false);
  });

  it('aborts with the outer signal, and for its reason', async () => {
    const outer = new AbortController();
    const reason = new Error('closed');
    const work = withScopedSignal(
      outer.signal,
      (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    outer.abort(reason);
    await expect(work).rejects.toBe(reason);
    await expect(withScopedSignal(outer.signal, async (signal) => signal.aborted)).resolves.toBe(true);
  });
});
