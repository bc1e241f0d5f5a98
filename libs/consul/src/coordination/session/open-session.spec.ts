import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import { FakeClock } from '@rookery/test-support';
import type { SessionApi } from '../../client/api/session.api.js';
import type { SessionDefinition } from '../../client/api/types.js';
import { openSession } from './open-session.js';

const SPEC = {
  name: 'n',
  ttlMs: 15_000,
  lockDelayMs: 15_000,
  behavior: 'release',
  checks: ['service:a'],
} as const;

describe('openSession', () => {
  it('asks for its TTL, its lock-delay and its checks, and for none of the node', async () => {
    const created: SessionDefinition[] = [];
    const create = async (definition: SessionDefinition = {}): Promise<string> => {
      created.push(definition);
      return 'id';
    };
    const lease = await openSession({ create } as SessionApi, SPEC, { clock: new FakeClock() });
    lease.stopRenewing();
    expect(created).toEqual([
      {
        Name: 'n',
        TTL: '15000ms',
        LockDelay: '15000ms',
        Behavior: 'release',
        NodeChecks: [],
        ServiceChecks: [{ ID: 'service:a' }],
      },
    ]);
  });

  it('goes by the TTL of the response: a server under load asks for fewer renewals', async () => {
    const clock = new FakeClock();
    const renewals: number[] = [];
    const sessions = {
      create: async () => 'id',
      renew: async () => {
        renewals.push(clock.now());
        return { TTL: '60s' };
      },
    } as unknown as SessionApi;
    const lease = await openSession(sessions, SPEC, { clock });
    await clock.advance(60_000);
    lease.stopRenewing();
    // Every five seconds, and not every 1.25.
    expect(renewals.length).toBeLessThan(20);
  });

  it('names the rule that a token lacks', async () => {
    const create = (): Promise<string> =>
      Promise.reject(new DiscoveryError('RK_ACL_DENIED', 'Permission denied'));
    const opening = openSession({ create } as unknown as SessionApi, SPEC, { clock: new FakeClock() });
    await expect(opening).rejects.toThrow('session_prefix "" { policy = "write" }');
  });
});
