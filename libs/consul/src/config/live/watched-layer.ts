import { DiscoveryError } from '@rookery/discovery';
import {
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

/** What is known of a tree that has lost keys. */
interface Suspicion {
  readonly update: TreeUpdate;
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
  /** Every update since the keys in use has followed without a gap. */
  #isContinuous = true;
  #suspicion: Suspicion | undefined;
  #failures = 0;
  #latest: TreeUpdate | undefined;
  #isChecking = false;
  #isRead = false;
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

  /** Why keys are in use that Consul no longer has; undefined: there are none. */
  get suspicion(): string | undefined {
    return this.#suspicion?.reason;
  }

  /** Uses these keys, which were in use before, until Consul has been read. */
  seed(entries: readonly KvEntry[]): void {
    this.#entries = entries;
    this.#isContinuous = false;
  }

  /** Reads the keys once. */
  async read(signal: AbortSignal): Promise<void> {
    const { body } = await this.#options.client.kv.list(this.path, { signal, ...this.#scope() });
    await this.#accept({ entries: body, isContinuous: false }, signal);
  }

  /** Whether the token may read the keys: without the permission, Consul shows an empty tree. */
  async isDenied(signal: AbortSignal): Promise<boolean> {
    return (await this.#readKey(this.path, signal)) === 'denied';
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
    this.#isContinuous &&= update.isContinuous;
    if (this.#signal) this.#check(update, this.#signal);
  }

  /** One at a time, and then the latest update only. */
  #check(update: TreeUpdate, signal: AbortSignal): void {
    this.#latest = update;
    if (this.#isChecking) return;
    this.#isChecking = true;
    void this.#checkLatest(signal).finally(() => (this.#isChecking = false));
  }

  async #checkLatest(signal: AbortSignal): Promise<void> {
    while (this.#latest && !signal.aborted) {
      const update = this.#latest;
      this.#latest = undefined;
      await this.#accept(update, signal);
    }
    if (this.#suspicion && !signal.aborted) this.#readLater(signal);
    if (!this.#suspicion) this.#pauseMs = MIN_CHECK_MS;
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
    if (read && this.#loop.updates === updates)
      this.#check({ entries: read.body, isContinuous: false }, signal);
    else this.#readLater(signal);
  }

  async #accept(update: TreeUpdate, signal: AbortSignal): Promise<void> {
    this.#isRead = true;
    const before = this.#entries;
    const missing = before ? missingKeys(before, update.entries) : [];
    if (missing.length > 0) {
      const verdict = await this.#judge(update, missing, signal);
      if (signal.aborted) return;
      if (!verdict.isAccepted) {
        this.#suspect(update, missing.length, verdict.reason);
        return;
      }
      if (this.#suspicion) this.#options.onConfirmed(missing.length, verdict.reason);
    } else if (this.#suspicion) this.#options.onRejected();
    this.#suspicion = undefined;
    this.#isContinuous = true;
    if (before && isSameContent(before, update.entries)) return;
    this.#entries = update.entries;
    this.#options.onChange();
  }

  async #judge(update: TreeUpdate, missing: readonly string[], signal: AbortSignal): Promise<TreeVerdict> {
    const known = this.#entries?.length ?? 0;
    const isUnchanged = this.#suspicion && isSameContent(this.#suspicion.update.entries, update.entries);
    const { clock } = this.#options;
    return judgeTree({
      known,
      vanished: missing.length,
      remaining: update.entries.length,
      isContinuous: this.#isContinuous,
      vanishedKey: await this.#readKey(missing[0] ?? this.path, signal),
      missingForMs: this.#suspicion && (isUnchanged ? clock.now() - this.#suspicion.since : 0),
    });
  }

  #suspect(update: TreeUpdate, missing: number, verdict: string): void {
    const { onSuspect, clock } = this.#options;
    const previous = this.#suspicion;
    const isUnchanged = previous && isSameContent(previous.update.entries, update.entries);
    const reason =
      `${missing} of ${this.#entries?.length ?? 0} keys below ${this.path} are missing, and stay in use: ${verdict}` +
      (update.entries.length === 0
        ? `. Write them again, or create the key ${this.path} if the tree is meant to be empty`
        : '');
    this.#suspicion = { update, since: isUnchanged ? previous.since : clock.now(), reason };
    // A tree that is being restored is reported once.
    if (!previous) onSuspect(missing, reason);
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
    this.#isContinuous = false;
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

function isSameContent(before: readonly KvEntry[], after: readonly KvEntry[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ key, value }, index) => {
      const other = after[index];
      return other?.key === key && other.value.equals(value);
    })
  );
}
