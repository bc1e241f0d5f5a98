import type { ConsulClient } from '../../client/consul-client.js';
import type { Contention } from '../contention/contention.js';
import { parseHolder, type LockHolder } from './lock-holder.js';

/** A lock or a semaphore, as this process sees it. */
export interface LockExplanation {
  readonly key: string;
  /** What this process holds of it; several only of a semaphore. */
  readonly held: readonly {
    readonly fence: number;
    readonly session: string;
    readonly heldMs: number;
    /** How long until its `signal` aborts, without a further renewal. */
    readonly remainingMs: number;
    /** How long until Consul can give it to another, without a further renewal. */
    readonly expiresInMs: number;
  }[];
  /** How many wait for it in this process. */
  readonly waiters: number;
}

/** A lock, as Consul has it. */
export interface LockReport {
  readonly key: string;
  /** Undefined: it is free. */
  readonly holder: LockHolder | undefined;
  readonly session:
    | {
        readonly id: string;
        /** The node of its agent. */
        readonly node: string;
        readonly name: string;
        /** Without a renewal it expires after once to twice this time. */
        readonly ttl: string;
      }
    | undefined;
  /** What this process has to do with it; undefined: nothing. */
  readonly own: LockExplanation | undefined;
}

export function explainContention({ contest, held, waiters }: Contention): LockExplanation {
  return {
    key: contest.key,
    held: held.map(({ fence, session, heldMs, remainingMs, expiresInMs }) => ({
      fence,
      session,
      heldMs: Math.round(heldMs),
      remainingMs: Math.round(remainingMs),
      expiresInMs: Math.round(expiresInMs),
    })),
    waiters,
  };
}

export async function readReport(
  client: ConsulClient,
  key: string,
  own: LockExplanation | undefined,
): Promise<LockReport> {
  const { body: entry } = await client.kv.get(key);
  if (entry?.session === undefined) return { key, holder: undefined, session: undefined, own };
  const { body: session } = await client.session.info(entry.session);
  return {
    key,
    holder: parseHolder(entry.value),
    session: session && { id: session.ID, node: session.Node, name: session.Name, ttl: session.TTL },
    own,
  };
}
