import { DiscoveryError } from '@rookery/discovery';
import {
  isAborted,
  type Clock,
  type Random,
  type ReconnectSignal,
  WatchLoop,
  withScopedSignal,
} from '@rookery/discovery/adapter';
import type { KvEntry } from '../../client/api/types.js';
import type { ConsulClient } from '../../client/consul-client.js';
import { watchTree, type TreeUpdate } from '../../kv/watch-tree.js';
import { judgeTree, type TreeVerdict, type VanishedKeyRead } from './judge-tree.js';
import { keysToRead } from './vanished-keys.js';

export interface WatchedLayerOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly reconnectSignal: ReconnectSignal;
  readonly datacenter: string | undefined;
  /** Other keys are in use from now on. */
  readonly onChange: () => void;
  readonly onSuspect: (missing: number, reason: string) => void;
  readonly onConfirmed: (removed: number, reason: string) => void;
  /** The missing keys are back. */
  readonly onRejected: () => void;
  readonly onFailure: (error: unknown) => void;
  readonly onRecovered: () => void;
}

/** All keys as they were received, and after how many gaps. */
interface ReceivedTree {
  readonly entries: readonly KvEntry[];
  readonly gaps: number;
}

/** What is known of a tree that has lost keys. */
interface Suspicion {
  readonly missing: readonly string[];
  readonly since: number;
  readonly reason: string;
}

const MIN_CHECK_MS = 5_000;
const MAX_CHECK_MS = 30_000;

/** One tree of keys, kept up to date. Keys that are gone stay in use until it is known that they were deleted. */
export class WatchedLayer {
  /** What all its keys begin with. */
  readonly path: string;
  readonly #options: WatchedLayerOptions;
  readonly #loop: WatchLoop<TreeUpdate>;
  #entries: readonly KvEntry[] | undefined;
  /** How often the watch has been interrupted, and how often it had been when keys were last accepted. */
  #gaps = 0;
  #acceptedGaps = 0;
  #suspicion: Suspicion | undefined;
  #failures = 0;
  #latest: ReceivedTree | undefined;
  #isChecking = false;
  #isRead = false;
  #isDenied = false;
  #signal: AbortSignal | undefined;
  #pauseMs = MIN_CHECK_MS;
  #cancelRead: () => void = () => undefined;

  constructor(path: string, options: WatchedLayerOptions) {
    const { clock, random, reconnectSignal, client, datacenter } = options;
    this.path = path;
    this.#options = options;
    this.#loop = new WatchLoop<TreeUpdate>({
      clock,
      random,
      reconnectSignal,
      watch: (signal) => watchTree(client, path, signal, { datacenter, clock }),
      onUpdate: (update) => this.#receive(update),
      onFailure: (error) => Promise.resolve(this.#fail(error)),
    });
  }

  /** The keys in use; undefined: they have never been read. */
  get entries(): readonly KvEntry[] | undefined {
    return this.#entries;
  }

  /** Consul has been read, be it that what it showed is not believed. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Why the keys in use are not those that Consul shows, or are not known to be all; undefined: they are. */
  get doubt(): string | undefined {
    if (this.#suspicion) return this.#suspicion.reason;
    return this.#isDenied ? `the token may not read the keys below ${this.path}` : undefined;
  }

  /** Uses these keys, which were in use before, until Consul has been read. */
  seed(entries: readonly KvEntry[]): void {
    this.#entries = entries;
    this.#gaps++;
  }

  /** Reads the keys once. */
  async read(signal: AbortSignal): Promise<void> {
    const { body } = await this.#options.client.kv.list(this.path, { signal, ...this.#scope() });
    await this.#accept({ entries: body, gaps: this.#gaps }, signal);
  }

  /** The token may not read the keys: without the permission, Consul shows an empty tree. */
  get isDenied(): boolean {
    return this.#isDenied;
  }

  /** Watches until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    await this.#loop.run(signal);
    this.#cancelRead();
  }

  #receive(update: TreeUpdate): void {
    if (this.#failures > 0) {
      this.#failures = 0;
      this.#options.reconnectSignal.reconnected();
      this.#options.onRecovered();
    }
    if (!update.isContinuous) this.#gaps++;
    if (this.#signal) this.#check(update.entries, this.#signal);
  }

  /** One at a time, and then the latest update only. */
  #check(entries: readonly KvEntry[], signal: AbortSignal): void {
    this.#latest = { entries, gaps: this.#gaps };
    if (!this.#isChecking) void this.#checkLatest(signal);
  }

  async #checkLatest(signal: AbortSignal): Promise<void> {
    this.#isChecking = true;
    while (this.#latest && !isAborted(signal)) {
      const latest = this.#latest;
      this.#latest = undefined;
      await this.#accept(latest, signal);
    }
    this.#isChecking = false;
    if (!this.#suspicion) this.#pauseMs = MIN_CHECK_MS;
    else if (!isAborted(signal)) this.#readLater(signal);
  }

  /** A change of the token's permissions wakes no watch, and a restored tree may be complete only after a while. */
  #readLater(signal: AbortSignal): void {
    this.#cancelRead();
    this.#cancelRead = this.#options.clock.after(this.#pauseMs, () => void this.#readAgain(signal));
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_CHECK_MS);
  }

  async #readAgain(signal: AbortSignal): Promise<void> {
    const { updates } = this.#loop;
    const read = await this.#options.client.kv
      .list(this.path, { signal, consistency: 'consistent', ...this.#scope() })
      .catch(() => undefined);
    if (signal.aborted || !this.#suspicion) return;
    // What the watch has received meanwhile is newer.
    if (read && this.#loop.updates === updates) this.#check(read.body, signal);
    else this.#readLater(signal);
  }

  async #accept({ entries, gaps }: ReceivedTree, signal: AbortSignal): Promise<void> {
    this.#isRead = true;
    const before = this.#entries ?? [];
    const missing = missingKeys(before, entries);
    const verdict = missing.length > 0 ? await this.#judge(entries, missing, gaps, signal) : undefined;
    if (signal.aborted) return;
    if (verdict && !verdict.isAccepted) this.#suspect(entries, missing, verdict.reason);
    else {
      if (this.#suspicion && verdict) this.#options.onConfirmed(missing.length, verdict.reason);
      else if (this.#suspicion) this.#options.onRejected();
      this.#suspicion = undefined;
      this.#acceptedGaps = gaps;
    }
    // Without the permission, Consul shows an empty tree, of which a single key is an error.
    const isDoubtful = entries.length === 0 && (this.#entries === undefined || this.#isDenied);
    this.#isDenied = isDoubtful && (await this.#readKey(this.path, signal)) === 'denied';
    if (isAborted(signal)) return;
    this.#use(this.#suspicion ? withKept(entries, before, this.#suspicion.missing) : entries);
  }

  #use(entries: readonly KvEntry[]): void {
    if (this.#entries && isSameContent(this.#entries, entries)) return;
    this.#entries = entries;
    this.#options.onChange();
  }

  async #judge(
    entries: readonly KvEntry[],
    missing: readonly string[],
    gaps: number,
    signal: AbortSignal,
  ): Promise<TreeVerdict> {
    const reads = await Promise.all(keysToRead(missing).map((key) => this.#readKey(key, signal)));
    return judgeTree({
      known: this.#entries?.length ?? 0,
      vanished: missing.length,
      remaining: entries.length,
      isContinuous: gaps === this.#acceptedGaps,
      vanishedKeys: reads,
      missingForMs: this.#missingForMs(missing),
    });
  }

  #missingForMs(missing: readonly string[]): number | undefined {
    if (!this.#suspicion) return undefined;
    return isSameList(this.#suspicion.missing, missing)
      ? this.#options.clock.now() - this.#suspicion.since
      : 0;
  }

  #suspect(entries: readonly KvEntry[], missing: readonly string[], verdict: string): void {
    const { onSuspect, clock } = this.#options;
    const previous = this.#suspicion;
    const isUnchanged = previous && isSameList(previous.missing, missing);
    const reason =
      `${missing.length} of ${this.#entries?.length ?? 0} keys below ${this.path} are missing, and stay in use: ${verdict}` +
      (entries.length === 0
        ? `. Write them again, or create the key ${this.path} if the tree is meant to be empty`
        : '');
    this.#suspicion = { missing, since: isUnchanged ? previous.since : clock.now(), reason };
    // A tree that is being restored is reported once.
    if (!previous) onSuspect(missing.length, reason);
  }

  async #readKey(key: string, signal: AbortSignal): Promise<VanishedKeyRead> {
    try {
      const { body } = await withScopedSignal(signal, (reading) =>
        this.#options.client.kv.get(key, { signal: reading, consistency: 'consistent', ...this.#scope() }),
      );
      return body ? 'present' : 'missing';
    } catch (error) {
      return error instanceof DiscoveryError && error.code === 'RK_ACL_DENIED' ? 'denied' : 'failed';
    }
  }

  #fail(error: unknown): number {
    this.#failures++;
    this.#options.onFailure(error);
    return this.#failures;
  }

  #scope(): { datacenter?: string } {
    const { datacenter } = this.#options;
    return datacenter === undefined ? {} : { datacenter };
  }
}

/** Folders are no values. */
function missingKeys(before: readonly KvEntry[], after: readonly KvEntry[]): string[] {
  const present = new Set(after.map(({ key }) => key));
  return before.map(({ key }) => key).filter((key) => !key.endsWith('/') && !present.has(key));
}

/** The keys of an update, and those that are kept although it does not have them. */
function withKept(
  entries: readonly KvEntry[],
  before: readonly KvEntry[],
  missing: readonly string[],
): readonly KvEntry[] {
  const kept = new Set(missing);
  return [...entries, ...before.filter(({ key }) => kept.has(key))].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function isSameList(before: readonly string[], after: readonly string[]): boolean {
  return before.length === after.length && before.every((key, index) => key === after[index]);
}

function isSameContent(before: readonly KvEntry[], after: readonly KvEntry[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ key, value }, index) => {
      const other = after[index];
      return other?.key === key && other.value.equals(value);
    })
  );
}
