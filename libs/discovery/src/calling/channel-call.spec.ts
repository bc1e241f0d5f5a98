import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, thrownBy } from '@rookery/test-support';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { CallOutcome } from '../balancing/target/tracked-target.js';
import type { EndedRpc, ObservedRpc } from './call-observer.js';
import { ChannelCall, rejectionStatus } from './channel-call.js';
import { Bulkhead } from './limits/bulkhead.js';
import { CircuitBreaker } from './limits/circuit-breaker.js';
import type { ServiceContext } from './service-context.js';

const OK = { name: 'OK', details: '', error: undefined, isRejected: false };
const FAILED = {
  ...{ name: 'UNAVAILABLE', details: 'gone', error: new Error('14 UNAVAILABLE: gone') },
  isRejected: false,
};
const REJECTED = { ...FAILED, details: 'RK_NO_INSTANCES: no usable instance', isRejected: true };

describe('ChannelCall', () => {
  let clock: FakeClock;
  let ended: (EndedRpc & { durationMs: number })[];
  let events: DiscoveryEvent[];
  let rejected: number;
  let context: ServiceContext;
  const observed: ObservedRpc = {
    headers: ['traceparent', '00-1'],
    end: (rpc, durationMs) => ended.push({ ...rpc, durationMs }),
  };
  const judge = (error: Error | undefined): CallOutcome => (error ? 'failure' : 'success');
  const create = (seen: ObservedRpc | undefined = observed): ChannelCall =>
    new ChannelCall(context, seen, judge, { clock, emit: (event) => events.push(event) });
  /** Begins at once. */
  const begun = (): ChannelCall => {
    const call = create();
    expect(call.admit(1_000, undefined)).toBeUndefined();
    return call;
  };
  const limited = (limits: Partial<Pick<ServiceContext, 'breaker' | 'bulkhead'>>): void => {
    const rejectedCalls = { refused: () => rejected++ };
    const settings = { circuitBreaker: { openMs: 5_000, failureRate: 0.5 } };
    context = { name: 'library', settings, rejectedCalls, ...limits } as unknown as ServiceContext;
  };

  beforeEach(() => {
    clock = new FakeClock();
    ended = [];
    events = [];
    rejected = 0;
    limited({});
  });

  it('that is not admitted tells telemetry once, although its channel says how it ended, too', () => {
    const call = create();
    call.rejected(new DiscoveryError('RK_CIRCUIT_OPEN', 'open'));
    call.end({ ...REJECTED, details: 'RK_CIRCUIT_OPEN: open' }, false);
    expect(ended.map(({ errorType }) => errorType)).toEqual(['RK_CIRCUIT_OPEN']);
  });

  it('tells telemetry of its end and how long it took, and has headers of it', async () => {
    const call = create();
    expect(call.headers).toEqual(['traceparent', '00-1']);
    expect(call.mayWait).toBe(false);
    expect(call.admit(1_000, undefined)).toBeUndefined();
    await clock.advance(30);
    call.end(OK, false);
    expect(ended).toEqual([
      { status: 'OK', outcome: 'success', errorType: undefined, details: '', durationMs: 30 },
    ]);
    expect(new ChannelCall(context, undefined, judge, { clock, emit: () => undefined }).headers).toEqual([]);
  });

  it('distinguishes a failure, a cancelled call and one that never left', () => {
    create().end(FAILED, false);
    create().end({ ...FAILED, name: 'CANCELLED', details: 'Cancelled on client' }, true);
    create().end(REJECTED, false);
    // Of a call that the server itself has made.
    create().end({ ...REJECTED, isRejected: false }, false);
    create().end({ ...OK, details: 'RK_NO_INSTANCES' }, false);
    expect(ended).toMatchObject([
      { status: 'UNAVAILABLE', outcome: 'failure', errorType: 'UNAVAILABLE', details: 'gone' },
      { status: 'CANCELLED', outcome: 'cancelled', errorType: 'cancelled' },
      { status: 'UNAVAILABLE', outcome: 'rejected', errorType: 'RK_NO_INSTANCES' },
      { status: 'UNAVAILABLE', outcome: 'failure', errorType: 'UNAVAILABLE' },
      { status: 'OK', outcome: 'success', errorType: undefined },
    ]);
  });

  it('is counted by the circuit breaker, and rejected while that is open', async () => {
    const rules = { failureRate: 0.5, minimumCalls: 2, windowMs: 10_000, openMs: 5_000 };
    limited({ breaker: new CircuitBreaker(clock, rules) });
    // Neither its caller nor a list without an instance says anything of the service.
    for (const [status, isAbandoned] of [
      [FAILED, true],
      [REJECTED, false],
    ] as const)
      for (let n = 0; n < 3; n++) {
        begun().end(status, isAbandoned);
      }
    expect(events).toEqual([]);
    for (let n = 0; n < 2; n++) {
      const call = begun();
      call.end(FAILED, false);
      call.end(FAILED, false);
    }
    expect(events).toEqual([
      {
        type: 'circuit.opened',
        service: 'library',
        reason: 'at least 50 % of the calls failed',
        durationMs: 5_000,
      },
    ]);
    ended = [];
    expect(() => create().admit(1_000, undefined)).toThrow(
      expect.objectContaining({ code: 'RK_CIRCUIT_OPEN', hint: expect.stringContaining('use a fallback') }),
    );
    expect(ended).toMatchObject([
      { status: 'UNAVAILABLE', outcome: 'rejected', errorType: 'RK_CIRCUIT_OPEN' },
    ]);
    await clock.advance(5_000);
    const trial = begun();
    trial.answered();
    expect(events.at(-1)).toEqual({ type: 'circuit.closed', service: 'library' });
    // A stream that fails later has been judged by its response.
    trial.end(FAILED, false);
    expect(events).toHaveLength(2);
  });

  it('waits in the queue of the bulkhead, until its place, its deadline or its caller ends that', async () => {
    const bulkhead = new Bulkhead(clock, { concurrency: 1, queue: 2 });
    limited({ bulkhead });
    const first = create();
    expect(first.mayWait).toBe(true);
    expect(first.admit(60_000, undefined)).toBeUndefined();
    const late = create();
    const lateEnd = thrownBy(() => late.admit(500, undefined));
    const second = create();
    const secondBegins = second.admit(60_000, undefined);
    await expect(create().admit(60_000, undefined)).rejects.toMatchObject({ code: 'RK_OVERLOADED' });
    expect(rejected).toBe(1);
    await clock.advance(499);
    expect(bulkhead.queued).toBe(2);
    await clock.advance(1);
    expect(await lateEnd).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
    first.end(OK, false);
    await secondBegins;
    const cancelling = new AbortController();
    const third = create();
    const cancelled = thrownBy(() => third.admit(60_000, cancelling.signal));
    cancelling.abort(new Error('no longer wanted'));
    expect((await cancelled).message).toBe('no longer wanted');
    second.answered();
    expect(bulkhead).toMatchObject({ inFlight: 0, queued: 0 });
    expect(ended.map(({ status, outcome, errorType }) => [status, outcome, errorType])).toEqual([
      ['UNAVAILABLE', 'rejected', 'RK_OVERLOADED'],
      ['DEADLINE_EXCEEDED', 'rejected', 'RK_CALL_TIMEOUT'],
      ['OK', 'success', undefined],
      ['CANCELLED', 'cancelled', 'cancelled'],
    ]);
  });

  it('gives its place back when its deadline has passed although it was admitted', () => {
    const bulkhead = new Bulkhead(clock, { concurrency: 1, queue: 0 });
    limited({ bulkhead });
    const call = begun();
    expect(bulkhead.inFlight).toBe(1);
    expect(call.expired()).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
    expect(bulkhead.inFlight).toBe(0);
    expect(ended).toMatchObject([{ status: 'DEADLINE_EXCEEDED', outcome: 'rejected' }]);
  });

  it('has a status for each reason that it did not begin', () => {
    expect(
      [
        new DiscoveryError('RK_CALL_TIMEOUT', ''),
        new DiscoveryError('RK_OVERLOADED', ''),
        new Error('aborted'),
      ].map(rejectionStatus),
    ).toEqual(['DEADLINE_EXCEEDED', 'UNAVAILABLE', 'CANCELLED']);
  });
});
