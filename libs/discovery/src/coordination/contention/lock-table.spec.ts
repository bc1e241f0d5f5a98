import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { LockTable } from './lock-table.js';

describe('LockTable', () => {
  it('waits for no more than a few seconds for a registry that says nothing when the app ends', async () => {
    const clock = new FakeClock();
    const environment = { clock, random: () => 0, owner: () => 'app', emit: () => undefined };
    const table = new LockTable(
      { shutdownTimeoutMs: 5_000, warnAfterMs: undefined },
      { ...environment, onFirstUse: () => undefined },
    );
    const aborted: unknown[] = [];
    const held = Array.from({ length: 100 }, (_, n) => ({
      key: `locks/${n}`,
      abort: (reason: unknown) => aborted.push(reason),
      release: () => new Promise(() => undefined),
    }));
    Object.defineProperty(table, 'contentions', { value: [{ held, close: () => undefined }] });
    let isClosed = false;
    const closing = table.close().then(() => (isClosed = true));
    await clock.advance(2_999);
    expect([aborted.length, isClosed]).toEqual([100, false]);
    await clock.advance(1);
    await closing;
    expect(clock.pending).toBe(0);
  });
});
