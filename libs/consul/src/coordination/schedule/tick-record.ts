import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { ConsulKv } from '../../kv/consul-kv.js';
import type { Lock } from '../contention/lock.js';

/** The last tick of a job that was run, or was about to be. */
export interface TickRecord {
  /** In milliseconds since 1970. */
  readonly tick: number;
  /** Which process ran it. */
  readonly by: string;
}

/** `claimed`: this process runs it. `done`: another did. `lost`: this process does not lead any more. */
export type TickClaim =
  | { readonly outcome: 'claimed'; readonly previous: TickRecord | undefined }
  | { readonly outcome: 'done'; readonly by: string };

/**
 * Claims a tick for the leader, in Consul, before it is run: so it is run once at most, whatever the clocks of the hosts say, and whoever leads
 * when their timers fire. The servers check in the same transaction that this process still leads.
 *
 * @throws DiscoveryError `RK_LOCK_LOST` when it does not; others when Consul does not answer
 */
export async function claimTick(
  kv: ConsulKv,
  term: Lock,
  key: string,
  claim: TickRecord,
): Promise<TickClaim> {
  for (;;) {
    const found = await kv.get(key, { consistency: 'consistent' });
    const previous = found && parseRecord(found.value);
    if (previous && previous.tick >= claim.tick) return { outcome: 'done', by: previous.by };
    const value = JSON.stringify({ tick: new Date(claim.tick).toISOString(), by: claim.by });
    try {
      const modifyIndex = found?.modifyIndex ?? 0;
      await term.guardedWrite([{ type: 'compareAndSet', key, value, modifyIndex }]);
      return { outcome: 'claimed', previous };
    } catch (error) {
      // An overlapping run of this process was faster: look again.
      if (error instanceof KvTransactionError && error.code === 'RK_TRANSACTION_CONFLICT') continue;
      throw error;
    }
  }
}

function parseRecord(text: string): TickRecord | undefined {
  try {
    const { tick, by } = JSON.parse(text) as { tick?: unknown; by?: unknown };
    const at = typeof tick === 'string' ? Date.parse(tick) : NaN;
    return Number.isFinite(at) ? { tick: at, by: typeof by === 'string' ? by : 'unknown' } : undefined;
  } catch {
    // Somebody has edited it: the next claim replaces it.
    return undefined;
  }
}
