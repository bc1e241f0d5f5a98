import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { EtcdError } from '../client/etcd-error.js';
import { LeaseKeeper } from './lease-keeper.js';

const TTL = 15;

describe('LeaseKeeper', () => {
  const start = (answer: (at: number) => number | undefined) => {
    const clock = new FakeClock();
    const asked: number[] = [];
    const keepAlive = async (): Promise<number | undefined> => {
      asked.push(clock.now());
      return answer(clock.now());
    };
    const keeper = new LeaseKeeper({ id: 7n, ttl: TTL }, { leases: { keepAlive }, clock, random: () => 0.5 });
    return { clock, asked, keeper };
  };
  const unreachable = (): never => {
    throw new EtcdError('RK_REGISTRY_UNREACHABLE', 'etcd is away');
  };

  it('renews three times in every TTL', async () => {
    const { clock, asked, keeper } = start(() => TTL);
    await clock.advance(60_000);
    expect(asked.length).toBe(12);
    expect(keeper.isLost).toBe(false);
    keeper.stop();
    await clock.advance(60_000);
    expect(asked.length).toBe(12);
    expect(clock.pending).toBe(0);
  });

  it('says that it is lost as soon as etcd knows no such lease, and asks no more', async () => {
    const { clock, asked, keeper } = start((at) => (at < 20_000 ? TTL : undefined));
    await clock.advance(30_000);
    await keeper.untilLost(new AbortController().signal);
    expect(keeper.isLost).toBe(true);
    expect(asked.at(-1)).toBeLessThan(25_000);
    expect(clock.pending).toBe(0);
  });

  it('F30 etcd is away for five minutes: it asks about once a second, and knows within one when it is back', async () => {
    const { clock, asked, keeper } = start((at) =>
      at < 10_000 ? TTL : at < 310_000 ? unreachable() : undefined,
    );
    await clock.advance(309_000);
    expect(keeper.isLost).toBe(false);
    const away = asked.filter((at) => at >= 10_000).length;
    expect(away).toBeGreaterThan(300);
    expect(away).toBeLessThan(650);
    await clock.advance(2_000);
    expect(keeper.isLost).toBe(true);
  });

  it('a renewal that failed costs the lease nothing: it is tried again within the TTL', async () => {
    let failures = 2;
    const { clock, asked, keeper } = start(() => (failures-- > 0 ? unreachable() : TTL));
    await clock.advance(8_000);
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(keeper.isLost).toBe(false);
    keeper.stop();
  });
});
