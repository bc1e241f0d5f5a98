import type { IndexBook } from '../state/index-book.js';

export interface KvRecord {
  readonly key: string;
  readonly value: Buffer;
  readonly flags: bigint;
  readonly createIndex: number;
  readonly modifyIndex: number;
  readonly lockIndex: number;
  readonly session: string;
}

export const KV = 'kv';
const LOCK_DELAY_CAP_MS = 60_000;

/** One write of a transaction that is not yet committed. */
type Undo = () => void;

/** The key-value store: entries by key, tombstones, and the lock delays of keys whose session was lost. */
export class KvStore {
  readonly #entries = new Map<string, KvRecord>();
  readonly #tombstones = new Map<string, number>();
  readonly #lockDelays = new Map<string, number>();

  constructor(
    private readonly indexes: IndexBook,
    private readonly now: () => number,
  ) {}

  clear(): void {
    this.#entries.clear();
    this.#tombstones.clear();
    this.#lockDelays.clear();
  }

  get(key: string): KvRecord | undefined {
    return this.#entries.get(key);
  }

  list(prefix: string): KvRecord[] {
    return [...this.#entries.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  heldBy(session: string): KvRecord[] {
    return [...this.#entries.values()].filter((entry) => entry.session === session);
  }

  /** The index of one key: its own, or the table's when it is not there. */
  keyIndex(key: string): number {
    return this.#entries.get(key)?.modifyIndex ?? this.indexes.of(KV);
  }

  /** The index of a prefix: of what is below it and of what was deleted there; the table's when there is nothing. */
  prefixIndex(prefix: string): number {
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix));
    const graves = [...this.#tombstones].filter(([key]) => key.startsWith(prefix)).map(([, index]) => index);
    return Math.max(0, ...entries.map(({ modifyIndex }) => modifyIndex), ...graves) || this.indexes.of(KV);
  }

  /** Writes at this index; the same value and flags again change nothing. */
  put(
    index: number,
    key: string,
    value: Buffer,
    flags: bigint,
    lock?: { session: string; acquired: boolean } | { released: true },
  ): Undo {
    const existing = this.#entries.get(key);
    const session = lock === undefined ? (existing?.session ?? '') : 'session' in lock ? lock.session : '';
    const acquired = lock !== undefined && 'acquired' in lock && lock.acquired;
    // A plain write keeps the session, but not the count of its acquisitions.
    const lockIndex = lock === undefined ? 0 : (existing?.lockIndex ?? 0) + Number(acquired);
    const same =
      existing?.value.equals(value) &&
      existing.flags === flags &&
      existing.session === session &&
      lock === undefined;
    if (same) return () => undefined;
    return this.#set(key, {
      key,
      value,
      flags,
      session,
      lockIndex,
      createIndex: existing?.createIndex ?? index,
      modifyIndex: index,
    });
  }

  delete(index: number, key: string): Undo {
    const existing = this.#entries.get(key);
    if (!existing) return () => undefined;
    this.#entries.delete(key);
    this.#tombstones.set(key, index);
    return () => {
      this.#entries.set(key, existing);
      this.#tombstones.delete(key);
    };
  }

  /** This key cannot be acquired as a lock for this long. */
  closeFor(key: string, delayMs: number): void {
    this.#lockDelays.set(key, this.now() + Math.min(delayMs, LOCK_DELAY_CAP_MS));
  }

  isClosed(key: string): boolean {
    return (this.#lockDelays.get(key) ?? 0) > this.now();
  }

  /** Forgets tombstones: the index of a prefix may fall. */
  reapTombstones(): void {
    this.#tombstones.clear();
  }

  #set(key: string, entry: KvRecord): Undo {
    const existing = this.#entries.get(key);
    this.#entries.set(key, entry);
    return () => {
      if (existing) this.#entries.set(key, existing);
      else this.#entries.delete(key);
    };
  }
}
