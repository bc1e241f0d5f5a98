import { randomUUID } from 'node:crypto';
import type { ConsulKv } from '../../kv/consul-kv.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { Lock } from '../contention/lock.js';

/** The last tick of a job that was run, or was about to be. */
export interface TickRecord {
  /** In milliseconds since 1970. */
  readonly tick: number;
  /** Which process ran it. */
  readonly by: string;
}

/** `claimed`: this process runs it. `done`: another did, or this one did before. */
export type TickClaim =
  | {
      readonly outcome: 'claimed';
      readonly previous: TickRecord | undefined;
      /** Gives the tick back, before it was run. */
      readonly giveBack: () => Promise<void>;
    }
  | { readonly outcome: 'done' };

interface StoredRecord extends TickRecord {
  readonly claim: string | undefined;
}

/**
 * Claims a tick for the leader, in Consul, before it is run: so it is run once at most, whatever the clocks of the hosts say, and whoever leads
 * when their timers fire. The servers check in the same transaction that this process still leads.
 *
 * @throws DiscoveryError `RK_LOCK_LOST` when it does not lead; others when Consul does not answer
 */
export async function claimTick(
  kv: ConsulKv,
  term: Lock,
  key: string,
  { tick, by, claim }: TickRecord & { readonly claim: string },
): Promise<TickClaim> {
  for (;;) {
    const found = await kv.get(key, { consistency: 'consistent' });
    const previous = found && parseRecord(found.value);
    if (previous?.claim === claim) {
      const giveBack = async (): Promise<void> => {
        await kv.delete(key, { modifyIndex: found?.modifyIndex ?? 0 });
      };
      return { outcome: 'claimed', previous: undefined, giveBack };
    }
    if (previous && previous.tick >= tick) return { outcome: 'done' };
    try {
      const value = JSON.stringify({ tick: new Date(tick).toISOString(), by, claim });
      const write = { type: 'compareAndSet', key, value, modifyIndex: found?.modifyIndex ?? 0 } as const;
      const [written] = await term.guardedWrite([write]);
      const modifyIndex = written?.modifyIndex ?? 0;
      const giveBack = async (): Promise<void> => {
        if (found) await kv.compareAndSet(key, found.value, modifyIndex);
        else await kv.delete(key, { modifyIndex });
      };
      return { outcome: 'claimed', previous, giveBack };
    } catch (error) {
      // An overlapping run of this process was faster: look again.
      if (error instanceof KvTransactionError && error.code === 'RK_TRANSACTION_CONFLICT') continue;
      throw error;
    }
  }
}

/** The identity of a claim, by which it is known after a response was lost. */
export function newClaim(): string {
  return randomUUID();
}

function parseRecord(text: string): StoredRecord | undefined {
  try {
    const { tick, by, claim } = JSON.parse(text) as { tick?: unknown; by?: unknown; claim?: unknown };
    const at = typeof tick === 'string' ? Date.parse(tick) : NaN;
    if (!Number.isFinite(at)) return undefined;
    return {
      tick: at,
      by: typeof by === 'string' ? by : 'unknown',
      claim: typeof claim === 'string' ? claim : undefined,
    };
  } catch {
    // Somebody has edited it: the next claim replaces it.
    return undefined;
  }
}
