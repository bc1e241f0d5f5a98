import { ReplaySubject, type Observable } from 'rxjs';
import { DiscoveryError, shutDown } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/error-message.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { InstanceList, InstanceSource } from '../registry/instance-source.js';
import type { Reachability } from '../registry/reconnect-signal.js';
import { instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import { describeQuery, type SourceQuery } from '../registry/service-query.js';
import { askedPause, backoffPause } from '../timing/backoff.js';
import { bounded } from '../timing/with-timeout.js';
import { isAborted, pause, type Clock, type Random } from '../timing/clock.js';
import { pauseUntil } from '../timing/delay-until.js';
import { scoped } from '../timing/scoped-signal.js';
import { TokenBucket } from '../timing/token-bucket.js';
import { Doubt } from './protection/list-protection.js';
import type { InstanceProbe } from '../registry/instance-probe.js';
import { NO_DIFFERENCE, sameMembers, succeed } from './diff-lists.js';
import type { OutageLog } from './outage/outage-log.js';
import type { RegistryScout } from './outage/recovery-ping.js';
import { OutageProbe } from './outage/outage-probe.js';
import type { SavedList } from './last-known-list.js';
import { createSnapshot, type ServiceSnapshot, type SnapshotSource } from './service-snapshot.js';
import { tellOfChange } from './snapshot-events.js';
import type { WatchReport } from './watch-report.js';

export interface WatcherOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly outages: OutageLog;
  readonly reachability: Reachability;
  readonly probe: InstanceProbe;
  readonly scout: RegistryScout;
  readonly emit: (event: DiscoveryEvent) => void;
  /** A list from before, for as long as the source has not answered at all. */
  readonly recall?: () => Promise<SavedList | undefined>;
  /** A list that nobody doubts. */
  readonly remember?: (list: SavedList) => void;
  /** Whether calls are made on this list at present. Default: they are. */
  readonly isInUse?: () => boolean;
}

const REFUSALS: ReadonlySet<string> = new Set([
  'RK_REGISTRY_REFUSED',
  'RK_ACL_DENIED',
  'RK_INVALID_ARGUMENT',
  'RK_NOT_FOUND',
  'RK_SHUT_DOWN',
]);
/**
 * The first pause is up to four seconds: those whom the same failure struck (every watch of a datacenter, when its leader
 * ends) must not come back in the same moment.
 */
const BACKOFF = { base: 4_000, cap: 30_000 };
/** For the same reason, when one of them finds that the registry is back. */
const RETURN_SPREAD_MS = 2_000;
/** Consul's own advice for blocking queries: a rate limit on the client's side, since a busy service answers at once. */
const SHORTEST_ROUND_MS = 100;
/** Who has not answered by then is as good as away for those who wait for a first list. */
const FIRST_PATIENCE_MS = 1_000;
const RECALL_MS = 2_000;
const ROUNDS = { capacity: 5, refillEvery: 500 };

/** Keeps one snapshot current for as long as it runs. On an error the last one stays, and the source is asked anew. */
export class ServiceWatcher {
  /** Where this list comes from, for events and messages. */
  readonly list: string;
  readonly #stopping = new AbortController();
  readonly #snapshots = new ReplaySubject<ServiceSnapshot>(1);
  readonly #source: InstanceSource;
  readonly #service: string;
  readonly #query: SourceQuery;
  readonly #options: WatcherOptions;
  readonly #doubt: Doubt;
  readonly #outageProbe: OutageProbe;
  /** Those found silent while the source was away, by key. */
  readonly #avoided = new Map<string, string>();
  readonly #startedAt: number;
  #endRound: (reason: Error) => void = () => undefined;
  #isAskingAnew = false;
  #snapshot: ServiceSnapshot | undefined;
  /** What the source listed last; the snapshot has the suspects too. */
  #answer: readonly ServiceInstance[] = [];
  #failures = 0;
  #lastError: unknown;
  #lastList: Pick<InstanceList, 'index' | 'how'> = {};
  #confirmedAt: number;
  #failingSince: number | undefined;
  #rounds = 0;
  #isRecalled = false;
  readonly #endPatience: () => void;
  #waiting: (() => void)[] = [];

  constructor(source: InstanceSource, service: string, query: SourceQuery, options: WatcherOptions) {
    const { clock, random, probe, isInUse = () => true } = options;
    this.#source = source;
    this.#service = service;
    this.#query = query;
    this.#options = options;
    this.list = `${source.description}${describeQuery(query)}`;
    this.#startedAt = this.#confirmedAt = clock.now();
    this.#doubt = new Doubt({
      clock,
      probe,
      confirm: (signal) => source.confirm(service, query, signal),
      onDropped: () => this.#publish(this.#snapshot?.source ?? 'live'),
      onListed: (instances) => {
        this.#accept({ instances, source: 'live', ...this.#lastList });
        // The watch that told the wrong list stands on the position of that answer.
        this.#isAskingAnew = true;
        this.#endRound(new Error('asked anew'));
      },
      tell: (event) => options.emit({ ...event, service, list: this.list }),
    });
    this.#outageProbe = new OutageProbe({
      clock,
      random,
      probe,
      inUse: () => (isInUse() ? (this.#snapshot?.passingOrWarning ?? []) : []),
      onSeen: (instance, sighting) => this.#see(instance, sighting),
      onRound: () => this.#publish(this.#snapshot?.source ?? 'live'),
    });
    this.#endPatience = clock.after(FIRST_PATIENCE_MS, () => {
      if (!this.#snapshot) void this.#recall();
    });
    void this.#run(this.#stopping.signal);
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.#snapshot;
  }

  /** Since when the source has failed to confirm the list; by the clock. */
  get staleSince(): number | undefined {
    return this.#failures === 0 || !this.#snapshot ? undefined : this.#confirmedAt;
  }

  /** True once the source has answered or failed: whoever waits for a first list has waited enough. */
  get isSettled(): boolean {
    return this.#snapshot !== undefined || this.#failures > 0;
  }

  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Its own refusal, which waiting does not mend; undefined: it has not refused. */
  get refusal(): DiscoveryError | undefined {
    const error = this.#failures > 0 ? this.#lastError : undefined;
    return error instanceof DiscoveryError && REFUSALS.has(error.code) ? this.noList() : undefined;
  }

  /** The snapshot now, if there is one, and every later one; completes when the watcher stops. */
  get snapshots$(): Observable<ServiceSnapshot> {
    return this.#snapshots;
  }

  get report(): WatchReport {
    const { clock } = this.#options;
    const state = this.#failures > 0 ? 'failing' : this.#snapshot ? 'current' : 'starting';
    return {
      source: this.#source.description,
      query: this.#query,
      state: state === 'current' && this.#doubt.suspects.length > 0 ? 'in doubt' : state,
      how: this.#lastList.how ?? 'watched',
      index: this.#lastList.index,
      rounds: this.#rounds,
      confirmedAgo: this.#snapshot ? Math.round(clock.now() - this.#confirmedAt) : undefined,
      watchedFor: Math.round(clock.now() - this.#startedAt),
      failures: this.#failures,
      error: this.#failures > 0 ? reasonOf(this.#lastError) : undefined,
      connections: this.#source.connections,
    };
  }

  /** Why an instance of the snapshot is looked at askance; undefined: it is not. */
  explain(instance: ServiceInstance): { verdict: 'suspect' | 'avoided'; why: string } | undefined {
    const suspicion = this.#doubt.explain(instance);
    if (suspicion !== undefined) return { verdict: 'suspect', why: suspicion };
    const avoided = this.#avoided.get(instanceKey(instance));
    return avoided === undefined ? undefined : { verdict: 'avoided', why: avoided };
  }

  /**
   * Resolves at the first answer, be it a list or an error: while the registry is away, callers are told so at once.
   * Rejects when there was none in time.
   */
  async settled(timeoutMs: number): Promise<void> {
    if (this.isSettled || this.#stopping.signal.aborted) return;
    const answered = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await bounded(this.#options.clock, timeoutMs, answered, () =>
      this.noList(`no answer in ${timeoutMs} ms`),
    );
  }

  /** Why there is no list. */
  noList(reason = reasonOf(this.#lastError)): DiscoveryError {
    const what = `no list of "${this.#service}"${describeQuery(this.#query)} from ${this.#source.description}: ${reason}`;
    const error = this.#lastError;
    // What the registry itself refuses does not get better by waiting.
    if (error instanceof DiscoveryError && REFUSALS.has(error.code)) {
      return new DiscoveryError(error.code, what, { cause: error });
    }
    return new DiscoveryError('RK_REGISTRY_UNREACHABLE', what, {
      hint: 'Calls work as soon as the registry answers once; it is asked in the background',
      cause: error,
    });
  }

  stop(): void {
    this.#lastError ??= shutDown();
    this.#stopping.abort(shutDown());
    this.#outageProbe.stop();
    this.#endPatience();
    this.#snapshots.complete();
    this.#release();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, outages, scout } = this.#options;
    const bucket = new TokenBucket(clock, ROUNDS);
    while (!signal.aborted) {
      try {
        await scoped(signal, async (round, end) => {
          this.#endRound = end;
          for await (const list of this.#source.watch(this.#service, this.#query, round)) {
            if (round.aborted) break;
            this.#rounds++;
            this.#accept(list);
            await pause(clock, Math.max(SHORTEST_ROUND_MS, bucket.take()), round);
          }
        });
        if (!this.#isAskingAnew) await this.#fail(new Error('the watch ended'), signal);
      } catch (error) {
        if (isAborted(signal)) break;
        if (!this.#isAskingAnew) await this.#fail(error, signal);
      }
      if (this.#isAskingAnew) {
        this.#isAskingAnew = false;
        await pause(clock, Math.max(SHORTEST_ROUND_MS, bucket.take()), signal).catch(() => undefined);
        continue;
      }
      await this.#rest(signal).catch(() => undefined);
    }
    outages.stopped(this);
    scout.recovered(this);
    this.#release(); // whoever still waits for a first list is told that none will come
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const { clock, random, reachability } = this.#options;
    const asked = askedPause(this.#lastError, random);
    const rest = backoffPause(this.#failures, BACKOFF, random);
    // Who asked to be left alone is, whatever others have heard.
    if (asked !== undefined) return pause(clock, Math.max(asked, rest), signal);
    const isBack = await pauseUntil(clock, rest, signal, reachability.answered$);
    if (isBack) await pause(clock, RETURN_SPREAD_MS * random(), signal);
  }

  #accept(list: InstanceList): void {
    const { instances, source } = list;
    // Of a registry without a leader an empty list means nothing; what may be on disk is better.
    if (source === 'stale' && instances.length === 0 && !this.#snapshot) return;
    // What is on disk may be very old, and is believed less than the registry's own word.
    const isOld = this.#snapshot?.source === 'disk' && source !== 'stale';
    const inUse = isOld ? [] : (this.#snapshot?.passingOrWarning ?? []);
    this.#lastList = { index: list.index, how: list.how ?? 'watched' };
    // A stale answer is better than none, and no sign that the registry is well.
    if (source !== 'stale') {
      this.#recover();
      this.#confirmedAt = this.#options.clock.now();
    }
    this.#answer = instances;
    this.#doubt.examine(inUse, instances, this.#stopping.signal);
    this.#publish(source);
    const { remember } = this.#options;
    if (remember && source !== 'stale' && this.#doubt.suspects.length === 0 && this.#snapshot)
      remember({ instances: this.#snapshot.instances, source, confirmedAt: Date.now() });
    this.#release();
  }

  #recover(): void {
    if (this.#failures === 0) return;
    const { outages, reachability, scout, emit, clock } = this.#options;
    this.#failures = 0;
    scout.recovered(this);
    this.#outageProbe.stop();
    this.#avoided.clear();
    outages.recovered(this);
    reachability.answered();
    const after = Math.round(clock.now() - (this.#failingSince ?? clock.now()));
    this.#failingSince = undefined;
    emit({ type: 'list.current', service: this.#service, list: this.list, after });
  }

  /** Replaces the snapshot when anything about it is new. */
  #publish(source: SnapshotSource, receivedAt = Date.now()): void {
    const previous = this.#snapshot;
    const suspects = this.#doubt.suspects;
    const listed = new Set(suspects.length > 0 ? this.#answer.map(instanceKey) : []);
    const missing = suspects.filter((instance) => !listed.has(instanceKey(instance)));
    const next = missing.length > 0 ? [...this.#answer, ...missing] : this.#answer;
    const succession = previous
      ? succeed(previous.instances, next)
      : { instances: [...next], difference: NO_DIFFERENCE };
    const instances = succession?.instances ?? previous?.instances ?? [];
    const avoided =
      this.#avoided.size === 0 ? [] : instances.filter((i) => this.#avoided.has(instanceKey(i)));
    const isSameRest =
      previous?.source === source &&
      sameMembers(previous.suspects, missing) &&
      sameMembers(previous.avoided, avoided);
    if (!succession && isSameRest) return;
    const difference = succession?.difference ?? NO_DIFFERENCE;
    this.#endPatience();
    this.#snapshot = createSnapshot({
      service: this.#service,
      instances,
      suspects: Object.freeze(missing),
      avoided: Object.freeze(avoided),
      difference,
      version: (previous?.version ?? 0) + 1,
      source,
      receivedAt: succession ? receivedAt : (previous?.receivedAt ?? receivedAt),
      age: () => Math.max(0, Math.round(this.#options.clock.now() - this.#confirmedAt)),
    });
    this.#snapshots.next(this.#snapshot);
    if (previous) tellOfChange(previous, this.#snapshot, this.list, this.#options.emit);
  }

  #see(instance: ServiceInstance, sighting: string): void {
    const key = instanceKey(instance);
    const { id } = instance;
    const of = { service: this.#service, list: this.list };
    if (sighting === 'unknown') return;
    if (sighting === 'answers') {
      if (this.#avoided.delete(key))
        this.#options.emit({ type: 'instance.answers', ...of, id, reason: 'it takes connections again' });
      return;
    }
    const reason = `the registry is away, and a probe of it found: ${sighting}`;
    if (!this.#avoided.has(key)) this.#options.emit({ type: 'instance.avoided', ...of, id, reason });
    this.#avoided.set(key, reason);
  }

  async #fail(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, outages, scout, emit } = this.#options;
    this.#failures++;
    this.#lastError = error;
    this.#failingSince ??= clock.now();
    if (!this.#snapshot) await this.#recall();
    if (isAborted(signal)) return;
    const count = this.#snapshot?.instances.length;
    const kept = count === undefined ? 'no list yet' : `its last list stays in use (instances: ${count})`;
    const message = `cannot watch "${this.#service}"${describeQuery(this.#query)}, ${kept}, trying again: ${reasonOf(error)}`;
    outages.failed(this, error, message);
    scout.failed(this);
    if (this.#snapshot) this.#outageProbe.start();
    if (this.#failures === 1 && this.#snapshot)
      emit({ type: 'list.stale', service: this.#service, list: this.list, reason: reasonOf(error) });
    this.#release();
  }

  /** The source has never answered: an older list is better than none. */
  async #recall(): Promise<void> {
    const { recall, clock, emit } = this.#options;
    if (!recall || this.#isRecalled) return;
    this.#isRecalled = true;
    // A disk may hang as anything else may.
    const saved = await bounded(clock, RECALL_MS, recall(), () => new Error('too late')).catch(
      () => undefined,
    );
    if (!saved || this.#snapshot || this.#stopping.signal.aborted) return;
    this.#answer = saved.instances;
    const age = Math.max(0, Date.now() - saved.confirmedAt);
    this.#confirmedAt = clock.now() - age;
    this.#publish(saved.source, saved.confirmedAt);
    const of = { service: this.#service, list: this.list };
    emit({ type: 'snapshot.restored', ...of, instances: saved.instances.length, age });
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
