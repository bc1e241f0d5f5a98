import { DiscoveryError } from '../../errors/discovery-error.js';
import type { ReconnectSignal } from '../../registry/reconnect-signal.js';
import { WatchLoop } from '../../registry/watch-loop.js';
import { abortReason, isAborted, type Clock, type Random } from '../../timing/clock.js';
import { withScopedSignal } from '../../timing/scoped-signal.js';
import type { ConfigStore, KeyTree, StoredKey } from '../config-store.js';
import type { VanishedKeyRead } from './judge-key.js';
import { MissingKeys } from './missing-keys.js';
import { keysToRead } from './vanished-keys.js';

export interface WatchedLayerOptions {
  readonly store: ConfigStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly reconnectSignal: ReconnectSignal;
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
  readonly entries: readonly StoredKey[];
  readonly gaps: number;
  /** Read to check missing keys again, and not by the watch. */
  readonly isPoll: boolean;
}

const MIN_CHECK_MS = 5_000;
const MAX_CHECK_MS = 30_000;

/** One tree of keys, kept up to date. Keys that are gone stay in use until it is known that they were deleted. */
export class WatchedLayer {
  /** What all its keys begin with. */
  readonly path: string;
  readonly #options: WatchedLayerOptions;
  readonly #loop: WatchLoop<KeyTree>;
  #entries: readonly StoredKey[] | undefined;
  /** How often the watch has been interrupted, and how often it had been at the last update. */
  #gaps = 0;
  #seenGaps = 0;
  readonly #missing = new MissingKeys();
  /** Why they are kept. */
  #reason: string | undefined;
  /** The registry showed no key at all. */
  #isEmpty = false;
  /** Why the latest update has removed keys. */
  #verdict: string | undefined;
  #failures = 0;
  #latest: ReceivedTree | undefined;
  #isChecking = false;
  #isRead = false;
  #isDenied = false;
  #signal: AbortSignal | undefined;
  #pauseMs = MIN_CHECK_MS;
  #isReadPlanned = false;
  #cancelRead: () => void = () => undefined;

  constructor(path: string, options: WatchedLayerOptions) {
    const { clock, random, reconnectSignal, store } = options;
    this.path = path;
    this.#options = options;
    this.#loop = new WatchLoop<KeyTree>({
      clock,
      random,
      reconnectSignal,
      watch: (signal) => store.watch(path, signal),
      isPushed: store.isPushed,
      onUpdate: (update) => this.#receive(update),
      onFailure: (error) => Promise.resolve(this.#fail(error)),
    });
  }

  /** What a token needs to read it. */
  get readRule(): string {
    return this.#options.store.readRule(this.path);
  }

  /** The keys in use; undefined: they have never been read. */
  get entries(): readonly StoredKey[] | undefined {
    return this.#entries;
  }

  /** The registry has been read, be it that what it showed is not believed. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Why the keys in use are not those that the registry shows, or are not known to be all; undefined: they are. */
  get doubt(): string | undefined {
    const count = this.#missing.count;
    if (count > 0 && this.#reason !== undefined) {
      const cure = `. Write them again, or create the key ${this.path} if the tree is meant to be empty`;
      return (
        `${count} of ${this.#entries?.length ?? 0} keys below ${this.path} are missing, and stay in use: ` +
        this.#reason +
        (this.#isEmpty ? cure : '')
      );
    }
    return this.#isDenied ? `the token may not read the keys below ${this.path}` : undefined;
  }

  /** Uses these keys, which were in use before, until the registry has been read. */
  seed(entries: readonly StoredKey[]): void {
    this.#entries = entries;
    this.#gaps++;
  }

  /** Reads the keys once. */
  async read(signal: AbortSignal): Promise<void> {
    const entries = await this.#options.store.list(this.path, signal, false);
    await this.#accept({ entries, gaps: this.#gaps, isPoll: false }, signal);
    // What had to be read besides may have been too late.
    if (isAborted(signal)) throw abortReason(signal);
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

  #receive(update: KeyTree): void {
    if (this.#failures > 0) {
      this.#failures = 0;
      this.#options.reconnectSignal.reconnected();
      this.#options.onRecovered();
    }
    if (!update.isContinuous) this.#gaps++;
    if (this.#signal) this.#check({ entries: update.entries, gaps: this.#gaps, isPoll: false }, this.#signal);
  }

  /** One at a time, and then the latest update only. */
  #check(received: ReceivedTree, signal: AbortSignal): void {
    this.#latest = received;
    if (this.#isChecking) return;
    // What it can make no sense of: the keys in use stay, until the next update.
    this.#checkLatest(signal).catch((error: unknown) => void this.#fail(error));
  }

  async #checkLatest(signal: AbortSignal): Promise<void> {
    this.#isChecking = true;
    try {
      while (this.#latest && !isAborted(signal)) {
        const latest = this.#latest;
        this.#latest = undefined;
        await this.#accept(latest, signal);
      }
    } finally {
      this.#isChecking = false;
    }
    if (this.#missing.count === 0) this.#pauseMs = MIN_CHECK_MS;
    else if (!isAborted(signal)) this.#readLater(signal);
  }

  /** A change of the token's permissions wakes no watch, and a restored tree may be complete only after a while. */
  #readLater(signal: AbortSignal): void {
    // Updates must not put it off, however many there are.
    if (this.#isReadPlanned) return;
    this.#isReadPlanned = true;
    this.#cancelRead = this.#options.clock.after(this.#pauseMs, () => void this.#readAgain(signal));
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_CHECK_MS);
  }

  async #readAgain(signal: AbortSignal): Promise<void> {
    this.#isReadPlanned = false;
    const { updates } = this.#loop;
    const gaps = this.#gaps;
    // While the watch fails, what another request shows may be another state of the registry.
    const read =
      this.#failures > 0
        ? undefined
        : await this.#options.store.list(this.path, signal, true).catch(() => undefined);
    if (signal.aborted || this.#missing.count === 0) return;
    // What the watch has received meanwhile is newer.
    const isCurrent = this.#loop.updates === updates && this.#gaps === gaps && this.#failures === 0;
    if (read && isCurrent) this.#check({ entries: read, gaps, isPoll: true }, signal);
    else this.#readLater(signal);
  }

  async #accept({ entries, gaps, isPoll }: ReceivedTree, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const before = this.#entries ?? [];
    const missed = this.#missing.count;
    const added = this.#missing.note(before, entries, gaps === this.#seenGaps, isPoll, clock.now());
    this.#seenGaps = gaps;
    this.#isEmpty = entries.length === 0;
    await this.#judge(entries, before.length, added, isPoll, signal);
    if (signal.aborted) return;
    if (missed > 0 && this.#missing.count === 0 && this.#verdict === undefined) this.#options.onRejected();
    // Without the permission, Consul shows an empty tree, of which a single key is an error.
    if (entries.length > 0) this.#isDenied = false;
    else if (this.#entries === undefined || this.#isDenied) {
      const read = await this.#readKey(this.path, signal);
      if (isAborted(signal)) return;
      this.#isDenied = read === 'denied' || (read === 'failed' && this.#isDenied);
    }
    this.#isRead = true;
    this.#use(withKept(entries, before, this.#missing.keys));
  }

  #use(entries: readonly StoredKey[]): void {
    if (this.#entries && isSameContent(this.#entries, entries)) return;
    this.#entries = entries;
    this.#options.onChange();
  }

  /** Keys that have just gone are read at once, the others only now and then. */
  async #judge(
    entries: readonly StoredKey[],
    known: number,
    added: readonly string[],
    isPoll: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    this.#verdict = undefined;
    const { clock, onConfirmed, onSuspect } = this.#options;
    const keys = isPoll ? this.#missing.keys : added;
    if (keys.length === 0) return;
    const wasSuspicious = this.#missing.count > added.length;
    const reads = new Map<string, VanishedKeyRead>();
    await Promise.all(keysToRead(keys).map(async (key) => reads.set(key, await this.#readKey(key, signal))));
    if (isAborted(signal)) return;
    const judgement = this.#missing.judge(keys, reads, added, known, entries.length === 0, clock.now());
    this.#verdict = judgement.deletedReason;
    if (judgement.deletedReason !== undefined && isPoll)
      onConfirmed(judgement.deleted.length, judgement.deletedReason);
    if (judgement.reason === undefined) return;
    this.#reason = judgement.reason;
    // A tree that is being restored is reported once.
    if (!wasSuspicious) onSuspect(this.#missing.count, this.doubt ?? judgement.reason);
  }

  async #readKey(key: string, signal: AbortSignal): Promise<VanishedKeyRead> {
    try {
      const found = await withScopedSignal(signal, (reading) => this.#options.store.get(key, reading));
      return found ? 'present' : 'missing';
    } catch (error) {
      return error instanceof DiscoveryError && error.code === 'RK_ACL_DENIED' ? 'denied' : 'failed';
    }
  }

  #fail(error: unknown): number {
    this.#gaps++;
    this.#failures++;
    this.#options.onFailure(error);
    return this.#failures;
  }
}

/** The keys of an update, and those that are kept although it does not have them. */
function withKept(
  entries: readonly StoredKey[],
  before: readonly StoredKey[],
  missing: readonly string[],
): readonly StoredKey[] {
  if (missing.length === 0) return entries;
  const kept = new Set(missing);
  return [...entries, ...before.filter(({ key }) => kept.has(key))].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function isSameContent(before: readonly StoredKey[], after: readonly StoredKey[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ key, value }, index) => {
      const other = after[index];
      return other?.key === key && other.value.equals(value);
    })
  );
}
