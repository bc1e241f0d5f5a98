import { status, type StatusObject } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import type { ChannelCall } from '@rookery/discovery/adapter';
import { startCall } from './call-start.js';

describe('a call that was in the queue of the bulkhead', () => {
  /** Admitted in the next turn. */
  const start = async (deadline: number): Promise<{ begun: number; statuses: StatusObject[] }> => {
    const seen = { begun: 0, statuses: [] as StatusObject[] };
    const call = {
      admit: () => Promise.resolve(),
      expired: () => new DiscoveryError('RK_CALL_TIMEOUT', 'timed out'),
    };
    startCall(call as unknown as ChannelCall, {
      next: { cancelWithStatus: () => undefined },
      listener: { onReceiveStatus: (status) => seen.statuses.push(status) },
      deadline,
      signal: new AbortController().signal,
      begin: () => {
        seen.begun++;
      },
    });
    await new Promise((resolve) => setImmediate(resolve));
    return seen;
  };

  it('begins when it is admitted in time', async () => {
    expect(await start(Date.now() + 60_000)).toEqual({ begun: 1, statuses: [] });
  });

  it('ends when its deadline has passed by then: gRPC has ended it already, and would not answer', async () => {
    const { begun, statuses } = await start(Date.now());
    expect(begun).toBe(0);
    expect(statuses).toMatchObject([
      { code: status.DEADLINE_EXCEEDED, details: 'RK_CALL_TIMEOUT: timed out' },
    ]);
  });
});
