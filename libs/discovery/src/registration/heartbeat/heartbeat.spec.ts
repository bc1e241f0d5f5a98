import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { Heartbeat } from './heartbeat.js';

describe('Heartbeat', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let sent: number[];
  let answer: () => Promise<void>;
  let heard: unknown[];
  let random: number;

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    sent = [];
    heard = [];
    random = 1;
    answer = async () => undefined;
    registry.report = async () => {
      sent.push(clock.now());
      await answer();
    };
  });

  const start = async (ttlMs = 36_000): Promise<Heartbeat> => {
    const heartbeat = new Heartbeat(
      registry,
      { id: 'a:ttl', name: 'TTL', type: 'ttl', ttlMs },
      {
        clock,
        random: () => random,
        report: async () => ({ status: 'passing', output: '' }),
        onRecovered: () => heard.push('recovered'),
        onLost: () => heard.push('lost'),
        onStall: (lagMs) => heard.push(`stalled ${lagMs}`),
        onFailing: (error) => heard.push(error instanceof Error ? error.message : error),
      },
    );
    heartbeat.start();
    await settle();
    return heartbeat;
  };

  it('comes three times in each TTL, or a little earlier', async () => {
    const heartbeat = await start();
    random = 0;
    await clock.advance(12_000);
    expect(sent).toEqual([0, 12_000]);
    await clock.advance(10_799);
    expect(sent).toHaveLength(2);
    await clock.advance(1);
    expect(sent).toEqual([0, 12_000, 22_800]);
    await heartbeat.stop();
    expect([clock.pending, heard]).toEqual([0, []]);
  });

  it('is sent again a second after it failed; two in a row are told once, and their end', async () => {
    const heartbeat = await start();
    answer = async () => Promise.reject(new Error('refused'));
    await clock.advance(12_000);
    expect(heard).toEqual([]);
    await clock.advance(1_000);
    expect(heard).toEqual(['refused']);
    await clock.advance(1_000);
    expect(heard).toEqual(['refused']);
    answer = async () => undefined;
    await clock.advance(1_000);
    expect(heard).toEqual(['refused', 'recovered', undefined]);
    expect(sent).toEqual([0, 12_000, 13_000, 14_000, 15_000]);
    await clock.advance(12_000);
    expect(sent.at(-1)).toBe(27_000);
    answer = async () => Promise.reject(new Error('again'));
    await clock.advance(13_000);
    expect(heard.slice(3)).toEqual(['again']);
    await heartbeat.stop();
  });

  it('of which only one failed has recovered, and nothing more is told', async () => {
    answer = async () => Promise.reject(new Error('refused'));
    const heartbeat = await start();
    answer = async () => undefined;
    await clock.advance(1_000);
    expect(heard).toEqual(['recovered']);
    await heartbeat.stop();
  });

  it('is sent again after an interval at the latest, and may take as long', async () => {
    answer = () => new Promise(() => undefined);
    const heartbeat = await start(1_500);
    await clock.advance(500);
    expect(sent).toEqual([0]);
    await clock.advance(500);
    expect(sent).toEqual([0, 1_000]);
    await clock.advance(500);
    expect(heard).toEqual(['no response in 500 ms']);
    await heartbeat.stop();
    expect(clock.pending).toBe(0);
  });

  it('may take three seconds', async () => {
    answer = () => new Promise(() => undefined);
    const heartbeat = await start();
    await clock.advance(2_999 + 1_000 + 3_000);
    expect([sent, heard]).toEqual([[0, 4_000], []]);
    await clock.advance(1);
    expect(heard).toEqual(['no response in 3000 ms']);
    await heartbeat.stop();
  });

  it('tells that its check is not there, and goes on: that may have been wrong, or true of one agent of several', async () => {
    answer = async () => Promise.reject(new DiscoveryError('RK_NOT_FOUND', 'no such check', {}));
    const heartbeat = await start();
    await clock.advance(1_000);
    expect([heard, sent]).toEqual([
      ['lost', 'lost', 'no such check'],
      [0, 1_000],
    ]);
    answer = () => Promise.resolve();
    await clock.advance(13_000);
    expect([heard.slice(3), sent]).toEqual([
      ['recovered', undefined],
      [0, 1_000, 2_000, 14_000],
    ]);
    await heartbeat.stop();
    expect(clock.pending).toBe(0);
  });

  it('tells nothing any more once it is stopped, and waits for what it has sent', async () => {
    let fail: (error: Error) => void = () => undefined;
    answer = () => new Promise((_resolve, reject) => (fail = reject));
    const heartbeat = await start();
    let isStopped = false;
    const stopping = heartbeat.stop().then(() => (isStopped = true));
    fail(new DiscoveryError('RK_NOT_FOUND', 'no such check', {}));
    await stopping;
    await clock.advance(60_000);
    expect([isStopped, heard, sent, clock.pending]).toEqual([true, [], [0], 0]);
  });

  it('tells of an event loop that was blocked for more than a second', async () => {
    const after = clock.after.bind(clock);
    let lagMs = 1_000;
    clock.after = (ms, callback) => after(ms === 12_000 ? ms + lagMs : ms, callback);
    const heartbeat = await start();
    await clock.advance(13_000);
    expect(heard).toEqual([]);
    lagMs = 1_001;
    await clock.advance(13_000);
    await clock.advance(13_001);
    expect(heard).toEqual(['stalled 1001']);
    await heartbeat.stop();
  });
});
