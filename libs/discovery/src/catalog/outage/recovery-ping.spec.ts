import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { ReconnectSignal } from '../../registry/reconnect-signal.js';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { RecoveryPing } from './recovery-ping.js';

const WATCHER = {};
const unreachable = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'connect ECONNREFUSED');
const noLeader = new DiscoveryError('RK_REGISTRY_NO_LEADER', 'No cluster leader');

class Source extends InMemoryRegistry {
  answer: boolean | Error = true;
  readonly pingedAt: number[] = [];
  constructor(readonly clock: FakeClock) {
    super();
  }
  override async ping(): Promise<{ leader: boolean }> {
    this.pingedAt.push(this.clock.now());
    if (this.answer instanceof Error) throw this.answer;
    return { leader: this.answer };
  }
}

describe('RecoveryPing', () => {
  let clock: FakeClock;
  let source: Source;
  let random: number;
  let reconnects: number;
  let ping: RecoveryPing;

  beforeEach(() => {
    clock = new FakeClock();
    source = new Source(clock);
    random = 0;
    reconnects = 0;
    const reconnectSignal = new ReconnectSignal();
    reconnectSignal.reconnected$.subscribe(() => reconnects++);
    ping = new RecoveryPing(source, { clock, random: () => random, reconnectSignal });
  });

  it.each([
    [unreachable, 0, 200],
    [unreachable, 1, 2_000],
    [noLeader, 0, 800],
    [noLeader, 1, 8_000],
  ])('waits for a random time before the first ping: after "%s", %s is %s ms', async (error, drawn, ms) => {
    random = drawn;
    ping.failed(WATCHER, error);
    await clock.advance(ms - 1);
    expect(source.pingedAt).toEqual([]);
    await clock.advance(1);
    expect(source.pingedAt).toEqual([ms]);
    ping.close();
    expect(clock.pending).toBe(0);
  });

  it('pings on behalf of all watches, until the last one has recovered', async () => {
    const other = {};
    source.answer = unreachable;
    random = 1;
    ping.failed(WATCHER, unreachable);
    ping.failed(other, unreachable);
    await clock.advance(4_000);
    ping.recovered(WATCHER);
    await clock.advance(2_000);
    expect(source.pingedAt).toEqual([2_000, 4_000, 6_000]);
    ping.recovered(other);
    expect(clock.pending).toBe(0);
  });

  it('asks less often where the registry answers and has no leader, and tells that it is well again', async () => {
    source.answer = false;
    random = 1;
    ping.failed(WATCHER, unreachable);
    await clock.advance(2_000 + 8_000);
    expect(source.pingedAt).toEqual([2_000, 10_000]);
    source.answer = true;
    expect(reconnects).toBe(0);
    await clock.advance(8_000);
    expect(reconnects).toBe(1);
    // Watches that still fail do so for another reason.
    await clock.advance(29_999 + 2_000);
    expect(source.pingedAt).toEqual([2_000, 10_000, 18_000]);
    await clock.advance(1);
    expect(source.pingedAt).toHaveLength(4);
    expect(reconnects).toBe(1);
    ping.close();
  });

  it('has an error of the ping itself for what it says', async () => {
    source.answer = noLeader;
    random = 1;
    ping.failed(WATCHER, unreachable);
    await clock.advance(10_000);
    source.answer = unreachable;
    await clock.advance(8_000 + 2_000);
    expect(source.pingedAt).toEqual([2_000, 10_000, 18_000, 20_000]);
    ping.close();
  });
});
