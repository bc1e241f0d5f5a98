import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { heldForMs, renewalIntervalMs, untilNextRenewalMs } from './lease-timing.js';
import { Lease, type LeaseCalls } from './lease.js';

const TTL_MS = 15_000;
describe('the timing of a lease', () => {
  it('survives every outage of two thirds of the TTL: a renewal is sent after it, in time to be answered', () => {
    const intervalMs = renewalIntervalMs(TTL_MS);
    const outageMs = (2 / 3) * TTL_MS;
    for (let phase = 0; phase < intervalMs; phase += 10) {
      // The last good renewal was sent `phase` before the outage began; renewals go on at every interval.
      const firstAfter = Math.ceil((phase + outageMs) / intervalMs) * intervalMs;
      expect(heldForMs(TTL_MS) - firstAfter).toBeGreaterThanOrEqual(intervalMs / 2);
    }
  });

  it('sends fewer renewals when the server asks for it, but never so few that one failure costs the lock', () => {
    expect(renewalIntervalMs(TTL_MS, 30_000)).toBe(2_500);
    expect(renewalIntervalMs(TTL_MS, 600_000)).toBe(5_000);
    expect(renewalIntervalMs(TTL_MS, 1_000)).toBe(1_250);
  });

  it('renews on a grid, and not twice when a timer was early', () => {
    expect(untilNextRenewalMs(12_000, 1_250)).toBe(500);
    expect(untilNextRenewalMs(1_249.5, 1_250)).toBe(1_250.5);
    expect(untilNextRenewalMs(1_250, 1_250)).toBe(1_250);
  });
});

describe('Lease', () => {
  const open = async (
    renew: (sentAt: number) => Promise<number | undefined>,
  ): Promise<{
    clock: FakeClock;
    lease: Lease;
    renewals: number[];
    doubts: string[];
    closed: string[];
  }> => {
    const clock = new FakeClock();
    const [renewals, doubts, closed]: [number[], string[], string[]] = [[], [], []];
    const calls: LeaseCalls = {
      open: async () => 'id',
      renew: async (_id, { signal }) => {
        renewals.push(clock.now());
        const aborted = new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
        return Promise.race([renew(clock.now()), aborted]);
      },
      close: async (id) => void closed.push(id),
    };
    const onDoubt = (reason: string): void => void doubts.push(reason);
    const lease = await Lease.open(calls, TTL_MS, { clock, onDoubt });
    return { clock, lease, renewals, doubts, closed };
  };
  const failing = (): Promise<never> => Promise.reject(new Error('connection refused'));
  const hanging = (): Promise<never> => new Promise(() => undefined);

  it('is renewed twelve times in a TTL, for as long as it lives, and leaves no timer', async () => {
    const { clock, lease, renewals, closed } = await open(async () => 15_000);
    await clock.advance(10 * TTL_MS);
    expect(renewals).toHaveLength(120);
    expect(lease.isAlive).toBe(true);
    await lease.close(1_000);
    expect(closed).toEqual(['id']);
    expect(lease.isAlive).toBe(false);
    expect(lease.lost.aborted).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('is lost 80 % of the TTL after the last good renewal was sent, whether renewals fail or hang', async () => {
    for (const broken of [failing, hanging]) {
      const { clock, lease, doubts } = await open(async (sentAt) =>
        sentAt <= 20_000 ? undefined : broken(),
      );
      await clock.advance(20_000 + 11_999);
      expect(lease.isAlive).toBe(true);
      expect(doubts).toHaveLength(1);
      await clock.advance(1);
      expect(lease.lost.aborted).toBe(true);
      expect((lease.lost.reason as Error).message).toBe('no renewal was confirmed in time');
      await clock.advance(60_000);
      expect(clock.pending).toBe(0);
    }
  });

  it('counts from when a renewal was sent: a late response is worth less', async () => {
    const { clock, lease } = await open(async () => {
      await new Promise<void>((resolve) => clock.after(1_000, resolve));
      return undefined;
    });
    await clock.advance(1_250 + 1_000);
    expect(lease.remainingMs).toBe(11_000);
    expect(lease.expiresInMs).toBe(14_000);
  });

  it('is lost by the clock, before any timer has run, after the process was paused', async () => {
    const { clock, lease } = await open(async () => undefined);
    await clock.advance(5_000);
    let now = clock.now();
    Object.assign(clock, { now: () => now });
    now += 12_000;
    expect(lease.isAlive).toBe(false);
    expect(lease.lost.aborted).toBe(true);
  });

  it('is lost at once when the registry does not know it', async () => {
    const { clock, lease } = await open(() =>
      Promise.reject(new DiscoveryError('RK_NOT_FOUND', 'Session id not found')),
    );
    await clock.advance(1_250);
    expect(lease.lost.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('goes on when renewals succeed again, and doubts again later', async () => {
    let isBroken = true;
    const { clock, lease, doubts } = await open(() => (isBroken ? failing() : Promise.resolve(undefined)));
    await clock.advance(10_000);
    isBroken = false;
    await clock.advance(60_000);
    expect(lease.isAlive).toBe(true);
    isBroken = true;
    await clock.advance(5_000);
    expect(doubts).toEqual(['connection refused', 'connection refused']);
  });
});
