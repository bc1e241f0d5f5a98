import { DiscoveryError } from '@rookery/discovery';
import {
  formatDuration,
  Lease,
  toMilliseconds,
  type LeaseCalls,
  type LeaseOptions,
} from '@rookery/discovery/adapter';
import type { SessionApi } from '../../client/api/session.api.js';
import type { SessionDefinition } from '../../client/api/types.js';

export interface SessionSpec {
  /** For operators, in the list of sessions. */
  readonly name: string;
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  readonly behavior: 'release' | 'delete';
  /** Ids of checks of this node: when one of them is critical, Consul invalidates the session. */
  readonly checks: readonly string[];
}

/** @throws DiscoveryError when Consul does not create it, such as for a check that does not exist or is critical */
export async function openSession(
  sessions: SessionApi,
  spec: SessionSpec,
  options: LeaseOptions,
): Promise<Lease> {
  return Lease.open(sessionCalls(sessions, spec), spec.ttlMs, options);
}

function sessionCalls(sessions: SessionApi, spec: SessionSpec): LeaseCalls {
  return {
    open: async () => {
      try {
        return await sessions.create(toDefinition(spec));
      } catch (error) {
        throw withSessionHint(error);
      }
    },
    renew: async (id, { timeoutMs, signal }, isPatient) =>
      ttlOf((await sessions.renew(id, { timeout: timeoutMs, signal }, isPatient))?.TTL),
    close: (id, timeoutMs) => sessions.destroy(id, { timeout: timeoutMs }),
  };
}

function toDefinition({ name, ttlMs, lockDelayMs, behavior, checks }: SessionSpec): SessionDefinition {
  return {
    Name: name,
    TTL: formatDuration(ttlMs),
    LockDelay: formatDuration(lockDelayMs),
    Behavior: behavior,
    // The default of Consul is the health of the node, which flaps with the network of its agent.
    NodeChecks: [],
    ServiceChecks: checks.map((ID) => ({ ID })),
  };
}

function ttlOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return toMilliseconds(text, 'TTL');
  } catch {
    return undefined;
  }
}

function withSessionHint(error: unknown): unknown {
  if (!(error instanceof DiscoveryError) || error.code !== 'RK_ACL_DENIED') return error;
  return new DiscoveryError('RK_ACL_DENIED', 'the token may not create a session', {
    hint: 'It needs session:write on the node of its agent: session_prefix "" { policy = "write" }',
    cause: error,
  });
}
