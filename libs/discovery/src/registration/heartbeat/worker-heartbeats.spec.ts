import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import type { ServiceRegistration } from '../../registry/service-registration.js';
import type { HealthReport } from './health-report.js';
import type { HeartbeatWorkerData, ToHeartbeatWorker } from './heartbeat-messages.js';
import { WorkerHeartbeats, type HeartbeatThread } from './worker-heartbeats.js';

class FakeThread extends EventEmitter {
  readonly received: ToHeartbeatWorker[] = [];
  isTerminated = false;
  isReferenced = true;
  stopsWhenTold = true;
  postMessage(message: ToHeartbeatWorker): void {
    this.received.push(message);
    if (message.type === 'stop' && this.stopsWhenTold)
      setImmediate(() => {
        this.emit('message', { type: 'stopped' });
        this.emit('exit', 0);
      });
  }
  async terminate(): Promise<number> {
    this.isTerminated = true;
    return 0;
  }
  unref(): void {
    this.isReferenced = false;
  }
}

const UP: HealthReport = { status: 'passing', output: 'all is well' };
const REGISTRATION = {
  id: 'a',
  service: 'a',
  checks: [
    { id: 'a:ttl-1', name: 'TTL', type: 'ttl', ttlMs: 36_000 },
    { id: 'a:tcp', name: 'TCP', type: 'tcp', address: '127.0.0.1:1', intervalMs: 1_000, timeoutMs: 1_000 },
    { id: 'a:ttl-2', name: 'TTL', type: 'ttl', ttlMs: 15_000 },
  ],
} as unknown as ServiceRegistration;

describe('WorkerHeartbeats', () => {
  let clock: FakeClock;
  let thread: FakeThread;
  let data: HeartbeatWorkerData | undefined;
  let report: HealthReport | Error;
  let token: string | Error;
  let heard: unknown[];
  let logger: RecordingLogger;
  let heartbeats: WorkerHeartbeats;
  let reportsRead: number;

  beforeEach(() => {
    clock = new FakeClock();
    thread = new FakeThread();
    data = undefined;
    report = UP;
    token = 'first';
    heard = [];
    reportsRead = 0;
    logger = new RecordingLogger();
    heartbeats = new WorkerHeartbeats({
      clock,
      logger,
      maxStallMs: 60_000,
      report: async () => {
        reportsRead++;
        if (report instanceof Error) throw report;
        return report;
      },
      source: {
        module: 'a module',
        data: { of: 'it' },
        token: async () => {
          if (token instanceof Error) throw token;
          return token;
        },
        refused: async (reason) => {
          heard.push(`refused: ${reason}`);
          throw new Error('there is no other token');
        },
      },
      onRecovered: () => heard.push('recovered'),
      fallback: {
        start: ({ id }) => heard.push(`in the main thread: ${id}`),
        stop: async () => void heard.push('main thread stopped'),
      },
      startThread: (given) => {
        data = given;
        return thread as unknown as HeartbeatThread;
      },
    });
  });

  const start = async (registration = REGISTRATION): Promise<void> => {
    heartbeats.start(registration, {
      onLost: () => heard.push('lost'),
      onStall: (lagMs) => heard.push(`stalled ${lagMs}`),
      onFailing: (error) => heard.push(`failing: ${String(error)}`),
    });
    await settle();
  };
  const alive = (): ToHeartbeatWorker[] => thread.received.filter(({ type }) => type === 'alive');

  it('start a thread with what it needs, which does not keep the process', async () => {
    await start();
    expect(data).toEqual({
      checkIds: ['a:ttl-1', 'a:ttl-2'],
      intervalMs: 5_000,
      expectedMs: 1_000,
      maxStallMs: 60_000,
      reporter: { module: 'a module', data: { of: 'it' } },
      firstReport: UP,
      token: 'first',
    });
    expect(thread.isReferenced).toBe(false);
    await heartbeats.stop();
    expect(thread.received.at(-1)).toEqual({ type: 'stop' });
    expect([thread.isTerminated, clock.pending, heard]).toEqual([true, 0, ['main thread stopped']]);
  });

  it('start none without a TTL check', async () => {
    await start({ ...REGISTRATION, checks: REGISTRATION.checks.filter(({ type }) => type !== 'ttl') });
    expect(data).toBeUndefined();
    await heartbeats.stop();
    expect([logger.lines, clock.pending]).toEqual([[], 0]);
  });

  it('tell it each second that the event loop runs, with the health of each interval and the present token', async () => {
    await start();
    report = { status: 'warning', output: 'slow' };
    token = 'second';
    await clock.advance(4_000);
    expect(alive()).toEqual(
      Array.from({ length: 4 }, () => ({ type: 'alive', report: UP, token: 'second' })),
    );
    await clock.advance(1_000);
    expect(alive().at(-1)).toEqual({ type: 'alive', report, token: 'second' });
    expect(reportsRead).toBe(2);
    await clock.advance(4_000);
    expect(reportsRead).toBe(2);
    await clock.advance(1_000);
    expect(reportsRead).toBe(3);
    report = new Error('cannot tell');
    token = new Error('no token now');
    await clock.advance(5_000);
    expect(alive().at(-1)).toEqual({
      type: 'alive',
      report: { status: 'warning', output: 'slow' },
      token: 'second',
    });
    await heartbeats.stop();
  });

  it('notice a blocked event loop, and read the health at once after it', async () => {
    await start();
    const after = clock.after.bind(clock);
    clock.after = (ms, callback) => after(ms + 3_001, callback);
    await clock.advance(1_000);
    await clock.advance(4_001);
    expect(heard).toEqual(['stalled 3001']);
    expect(reportsRead).toBe(2);
    clock.after = (ms, callback) => after(ms + 3_000, callback);
    await clock.advance(4_001);
    await clock.advance(4_000);
    expect(heard).toEqual(['stalled 3001', 'stalled 3001']);
    clock.after = after;
    await clock.advance(4_000);
    await heartbeats.stop();
  });

  it('hear what the thread tells', async () => {
    await start();
    for (const type of ['lost', 'recovered']) thread.emit('message', { type });
    thread.emit('message', { type: 'failing', reason: 'no response' });
    thread.emit('message', { type: 'failing', reason: undefined });
    thread.emit('message', { type: 'refused', reason: 'ACL not found' });
    await settle();
    expect(heard).toEqual([
      'lost',
      'recovered',
      'failing: Error: no response',
      'failing: undefined',
      'refused: ACL not found',
    ]);
    await heartbeats.stop();
  });

  it.each([
    ['fails', () => thread.emit('error', new Error('out of memory')), 'out of memory'],
    ['exits', () => thread.emit('exit', 1), 'the worker thread exited'],
  ])('go on in the main thread when the thread %s', async (_name, end, reason) => {
    await start();
    thread.stopsWhenTold = false;
    end();
    await clock.advance(1_000);
    expect(logger.lines).toEqual([
      `error worker thread of the heartbeat of "a" failed, continuing in the main thread: ${reason}`,
    ]);
    expect(heard).toEqual(['in the main thread: a']);
    expect(thread.isTerminated).toBe(true);
    await heartbeats.stop();
    expect(heard).toEqual(['in the main thread: a', 'main thread stopped']);
  });

  it('go on in the main thread when there is no health to begin with', async () => {
    report = new Error('cannot tell');
    await start();
    expect(heard).toEqual(['in the main thread: a']);
    await heartbeats.stop();
  });

  it('are not continued when they are stopped before the thread has begun, and end a thread that does not stop', async () => {
    report = new Promise(() => undefined) as never;
    await start();
    await heartbeats.stop();
    expect([heard, logger.lines]).toEqual([['main thread stopped'], []]);
    report = UP;
    thread.stopsWhenTold = false;
    await start();
    let isStopped = false;
    const stopping = heartbeats.stop().then(() => (isStopped = true));
    await clock.advance(999);
    expect([isStopped, thread.isTerminated]).toEqual([false, false]);
    await clock.advance(1);
    await stopping;
    expect([thread.isTerminated, clock.pending, logger.lines]).toEqual([true, 0, []]);
  });
});
