import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import { DiscoveryError } from '../errors/discovery-error.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { leaveRegistry } from './leave-registry.js';

const REGISTRATION = { id: 'web-1', service: 'web' };
const unreachable = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'connect ECONNREFUSED');
const denied = new DiscoveryError('RK_ACL_DENIED', 'no');

describe('leaveRegistry', () => {
  let clock: FakeClock;
  let loopEnds: () => void;
  let heartbeatsEnd: () => void;
  let aborted: number[];
  let maybeRegistered: boolean;
  let failures: Error[];
  let deregisteredAt: number[];
  let left: (typeof REGISTRATION)[];
  let retries: unknown[];
  let stopping: AbortController;
  let outcome: unknown;

  beforeEach(() => {
    clock = new FakeClock();
    [aborted, deregisteredAt, retries, failures, left] = [[], [], [], [], []];
    maybeRegistered = true;
    stopping = new AbortController();
    outcome = undefined;
    class Registry extends InMemoryRegistry {
      override async deregister(registration: typeof REGISTRATION): Promise<void> {
        left.push(registration);
        deregisteredAt.push(clock.now());
        const failure = failures.shift();
        if (failure) throw failure;
      }
    }
    const loopEnded = new Promise<void>((resolve) => (loopEnds = resolve));
    const heartbeatsStopped = new Promise<void>((resolve) => (heartbeatsEnd = resolve));
    const options = {
      ...{ clock, loopEnded, heartbeatsStopped },
      random: () => 1,
      registry: new Registry(),
      registration: REGISTRATION,
      abortRegister: () => void aborted.push(clock.now()),
      maybeRegistered: () => maybeRegistered,
      onRetry: (error: unknown) => void retries.push(error),
    };
    leaveRegistry(options, stopping.signal).then(
      () => (outcome = 'left'),
      (error: unknown) => (outcome = error),
    );
  });

  it('waits for the loop and then deregisters, and ends with the last heartbeat', async () => {
    await clock.advance(100);
    expect([aborted, deregisteredAt]).toEqual([[], []]);
    loopEnds();
    await settle();
    expect([aborted, deregisteredAt, outcome]).toEqual([[100], [100], undefined]);
    expect(left).toEqual([REGISTRATION]);
    expect(clock.pending).toBe(0);
    heartbeatsEnd();
    await settle();
    expect(outcome).toBe('left');
  });

  it('aborts a request to register after one and a half seconds, and still waits for the loop', async () => {
    await clock.advance(1_499);
    expect(aborted).toEqual([]);
    await clock.advance(1);
    expect(aborted).toEqual([1_500]);
    await clock.advance(5_000);
    expect(deregisteredAt).toEqual([]);
    loopEnds();
    await settle();
    expect(deregisteredAt).toEqual([6_500]);
  });

  it('asks nothing of a registry that cannot have it', async () => {
    maybeRegistered = false;
    loopEnds();
    heartbeatsEnd();
    await settle();
    expect([deregisteredAt, outcome]).toEqual([[], 'left']);
  });

  it('tries again as long as that may help, after up to 200, 400 and 500 ms', async () => {
    failures = [unreachable, unreachable, unreachable];
    loopEnds();
    heartbeatsEnd();
    await clock.advance(2_000);
    expect(deregisteredAt).toEqual([0, 200, 600, 1_100]);
    expect([retries, outcome]).toEqual([[unreachable, unreachable, unreachable], 'left']);
  });

  it('fails at once with what waiting does not mend', async () => {
    failures = [denied];
    loopEnds();
    await settle();
    expect([outcome, retries]).toEqual([denied, []]);
  });

  it('ends with its signal', async () => {
    failures = [unreachable, unreachable];
    loopEnds();
    await settle();
    stopping.abort(new Error('over'));
    await settle();
    expect(outcome).toMatchObject({ message: 'over' });
    expect([deregisteredAt, clock.pending]).toEqual([[0], 0]);
  });
});
