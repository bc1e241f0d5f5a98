import { randomUUID } from 'node:crypto';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { Lock } from '../contention/lock.js';
import type { CoordinationStore } from '../coordination-store.js';

/** The last tick of a job that was run, or was about to be. */
export interface TickRecord {
  /** In milliseconds since 1970. */
  readonly tick: number;
  /** Which process ran it. */
  readonly by: string;
}

interface StoredRecord extends TickRecord {
  readonly claim: string | undefined;
}

/**
 * The claim of a tick by the leader, in the registry, before it is run: so it is run once at most, whatever the clocks of the hosts say, and whichever
 * process leads when their timers fire. It has an identity, by which it is known again when a response was lost.
 */
export class TickClaim {
  readonly #store: Pick<CoordinationStore, 'read' | 'replace'>;
  readonly #key: string;
  readonly record: TickRecord;
  readonly #claim = randomUUID();
  /** What was there before the first try. */
  #before: { readonly value: string | undefined } | undefined;
  #isDoubtful = false;

  constructor(store: Pick<CoordinationStore, 'read' | 'replace'>, key: string, record: TickRecord) {
    this.#store = store;
    this.#key = key;
    this.record = record;
  }

  /** The tick that was run before this one. */
  get previous(): TickRecord | undefined {
    const value = this.#before?.value;
    return value === undefined ? undefined : parseRecord(value);
  }

  /** A try, or giving it back, had no response: the claim may be in the registry. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /**
   * It may be repeated. The servers check in the same transaction that this process leads.
   *
   * @returns false when the tick was run, here or elsewhere
   * @throws DiscoveryError `RK_LOCK_LOST` when it does not lead; others when the registry does not answer
   */
  async try(term: Lock): Promise<boolean> {
    for (;;) {
      const found = await this.#store.read(this.#key);
      const latest = found && parseRecord(found.value);
      if (latest?.claim === this.#claim) return true;
      if (latest && latest.tick >= this.record.tick) return false;
      this.#before = { value: found?.value };
      const { tick, by } = this.record;
      const value = JSON.stringify({ tick: new Date(tick).toISOString(), by, claim: this.#claim });
      const modifyIndex = found?.modifyIndex ?? 0;
      try {
        await term.guardedWrite([{ type: 'compareAndSet', key: this.#key, value, modifyIndex }]);
        return true;
      } catch (error) {
        // An overlapping run of this process was faster: look again.
        if (error instanceof DiscoveryError && error.code === 'RK_TRANSACTION_CONFLICT') continue;
        this.#isDoubtful = true;
        throw error;
      }
    }
  }

  /**
   * Gives the tick back, which was not run: the next leader runs it, or counts it. Nothing happens when the claim is not there.
   *
   * @throws DiscoveryError when the registry does not answer
   */
  async giveBack(): Promise<void> {
    this.#isDoubtful = true;
    const found = await this.#store.read(this.#key);
    if (found && parseRecord(found.value)?.claim === this.#claim) {
      await this.#store.replace(this.#key, this.#before?.value, found.modifyIndex);
    }
    this.#isDoubtful = false;
  }
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
    // It was edited by hand: the next claim replaces it.
    return undefined;
  }
}
