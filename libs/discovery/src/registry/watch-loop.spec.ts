import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import { DiscoveryError, type DiscoveryErrorCode } from '../index.js';
import { ReconnectSignal } from './reconnect-signal.js';
import { WatchLoop } from './watch-loop.js';

describe('WatchLoop, when the watch fails', () => {
  let clock: FakeClock;
  let random: number;
  let startedAt: number[];
  let reconnectSignal: ReconnectSignal;
  let stopping: AbortController;

  beforeEach(() => {
    clock = new FakeClock();
    random = 1;
    startedAt = [];
    reconnectSignal = new ReconnectSignal();
    stopping = new AbortController();
  });

  function run(code: DiscoveryErrorCode, spreadMs?: () => number, retryAfterMs?: number): Promise<void> {
    let failures = 0;
    const loop = new WatchLoop<never>({
      ...{ clock, reconnectSignal },
      random: () => random,
      // eslint-disable-next-line require-yield -- it fails before
      watch: async function* () {
        startedAt.push(clock.now());
        throw new DiscoveryError(code, 'it failed', retryAfterMs === undefined ? {} : { retryAfterMs });
      },
      onUpdate: () => undefined,
      onFailure: async () => ++failures,
      ...(spreadMs ? { spreadMs } : {}),
    });
    return loop.run(stopping.signal);
  }

  const end = async (running: Promise<void>): Promise<void> => {
    stopping.abort(new Error('over'));
    await running;
    expect(clock.pending).toBe(0);
  };

  it('begins again after up to four seconds, then eight, up to thirty', async () => {
    const running = run('RK_REGISTRY_UNREACHABLE');
    await clock.advance(4_000 + 8_000 + 16_000 + 30_000 + 30_000);
    expect(startedAt).toEqual([0, 4_000, 12_000, 28_000, 58_000, 88_000]);
    await end(running);
  });

  it('begins again sooner when something else has reached the registry, after up to two seconds', async () => {
    const running = run('RK_REGISTRY_UNREACHABLE');
    await clock.advance(1_000);
    reconnectSignal.reconnected();
    await clock.advance(1_999);
    expect(startedAt).toEqual([0]);
    await clock.advance(1);
    expect(startedAt).toEqual([0, 3_000]);
    await end(running);
  });

  it('spreads its return as it is told when the servers are in trouble, and does not hurry', async () => {
    const running = run('RK_REGISTRY_NO_LEADER', () => 25_000);
    await clock.advance(1_000);
    reconnectSignal.reconnected();
    await clock.advance(23_999);
    expect(startedAt).toEqual([0]);
    await clock.advance(1);
    expect(startedAt).toEqual([0, 25_000]);
    await end(running);
  });

  it('begins early too: a tenth of the spread is the least', async () => {
    random = 0;
    const running = run('RK_REGISTRY_ERROR', () => 25_000);
    await clock.advance(2_499);
    expect(startedAt).toEqual([0]);
    await clock.advance(1);
    expect(startedAt).toEqual([0, 2_500]);
    await end(running);
  });

  it.each([
    ['RK_REGISTRY_UNREACHABLE', 25_000],
    ['RK_REGISTRY_TIMEOUT', 25_000],
    ['RK_REGISTRY_NO_LEADER', 1_000],
  ] as const)('needs no more than four seconds after %s, with a spread of %s ms', async (code, spreadMs) => {
    const running = run(code, () => spreadMs);
    await clock.advance(4_000);
    expect(startedAt).toEqual([0, 4_000]);
    await end(running);
  });

  it('leaves a registry alone that asks for it', async () => {
    random = 0;
    const running = run('RK_REGISTRY_NO_LEADER', undefined, 10_000);
    await clock.advance(5_000);
    reconnectSignal.reconnected();
    await clock.advance(4_999);
    expect(startedAt).toEqual([0]);
    await clock.advance(1);
    await settle();
    expect(startedAt).toEqual([0, 10_000]);
    await end(running);
  });
});
