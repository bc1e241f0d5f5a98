import { ReplaySubject, type Observable } from 'rxjs';
import { DiscoveryError, isReachable, isRefused, shutDownError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { InstanceProbe } from '../registry/instance-probe.js';
import type { InstanceList, InstanceSource, InvalidInstance } from '../registry/instance-source.js';
import type { ReconnectSignal } from '../registry/reconnect-signal.js';
import { WatchLoop } from '../registry/watch-loop.js';
import type { RegistryReachability } from '../registry/registry-reachability.js';
import { instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import { describeQuery, type SourceQuery } from '../registry/service-query.js';
import type { ProbeResult } from '../registry/tcp-probe.js';
import { isAborted, type Clock, type Random } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';
import { Diagnosis } from './diagnosis.js';
import type { LastKnownList } from './last-known-list.js';
import { nextSnapshot } from './next-snapshot.js';
import type { OutageLog } from './outage/outage-log.js';
import { OutageProbe } from './outage/outage-probe.js';
import type { RecoveryPing } from './outage/recovery-ping.js';
import { ListProtection } from './protection/list-protection.js';
import { eventsBetween } from './snapshot-events.js';
import type { ServiceSnapshot, SnapshotSource } from './service-snapshot.js';
import type { WatchReport } from './watch-report.js';

export interface WatcherOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly outages: OutageLog;
  readonly reconnectSignal: ReconnectSignal;
  readonly reachability?: RegistryReachability | undefined;
  readonly probe: InstanceProbe;
  readonly recoveryPing: RecoveryPing;
  readonly emit: (event: DiscoveryEvent) => void;
  /** An older list, used until the source has answered for the first time. */
  readonly loadLastKnown?: () => Promise<LastKnownList | undefined>;
  /** Saves a list without suspects. */
  readonly saveLastKnown?: (list: LastKnownList) => void;
  /** Whether calls are made on this list at present. Default: true. */
  readonly isInUse?: () => boolean;
}

/** The run of failures that the watch is in. */
interface Failure {
  readonly count: number;
  readonly since: number;
  readonly error: unknown;
}

/** A source without a response after this time counts as unreachable for the first use of a service. */
const FIRST_RESPONSE_MS = 1_000;
const LOAD_TIMEOUT_MS = 2_000;
const READ_AGAIN_MS = 1_000;
/**
 * When the servers are in trouble, all watchers of a list read it again: the longer it is the more that costs, and the more watchers it is likely
 * to have. Of 100 instances and 100 watchers, with five lists in each app, about a tenth of the apps ask within 100 ms (`npm run simulate -- fleet`).
 */
const SPREAD_OF_INSTANCE_MS = 250;
const MAX_SPREAD_MS = 30_000;

/** Keeps the snapshot of one source query up to date. After an error the last known list stays in use, and the watch is started again. */
export class ServiceWatcher {
  /** Which list this is, for events and messages. */
  readonly list: string;
  readonly #source: InstanceSource;
  readonly #service: string;
  readonly #query: SourceQuery;
  readonly #options: WatcherOptions;
  readonly #loop: WatchLoop<InstanceList>;
  readonly #protection: ListProtection;
  readonly #outageProbe: OutageProbe;
  readonly #stopping = new AbortController();
  readonly #snapshots = new ReplaySubject<ServiceSnapshot>(1);
  /** Why instances are considered unreachable while the source is, by instance key. */
  readonly #unreachable = new Map<string, string>();
  readonly #startedAt: number;
  readonly #cancelFirstResponse: () => void;
  readonly #diagnosis: Diagnosis;
  #snapshot: ServiceSnapshot | undefined;
  /** What the source listed last; the snapshot contains the suspects too. */
  #listed: readonly ServiceInstance[] = [];
  #listInfo: Pick<InstanceList, 'index' | 'mode' | 'invalid'> = {};
  #confirmedAt: number;
  #failure: Failure | undefined;
  #reconnects = 0;
  #spurious = 0;
  #readAgainAt = -Infinity;
  #hasLoadedLastKnown = false;
  #waiting: (() => void)[] = [];

  constructor(source: InstanceSource, service: string, query: SourceQuery, options: WatcherOptions) {
    const { clock, random, probe, reconnectSignal } = options;
    this.#source = source;
    this.#service = service;
    this.#query = query;
    this.#options = options;
    this.list = `${source.description}${describeQuery(query)}`;
    this.#startedAt = this.#confirmedAt = clock.now();
    this.#loop = new WatchLoop({
      clock,
      random,
      reconnectSignal,
      watch: (signal) => source.watch(service, query, signal),
      onUpdate: (list) => this.#accept(list),
      onFailure: (error) => this.#fail(error),
      spreadMs: () =>
        Math.min(MAX_SPREAD_MS, SPREAD_OF_INSTANCE_MS * (this.#snapshot?.instances.length ?? 0)),
    });
    this.#protection = new ListProtection({
      clock,
      probe,
      readConsistent: (signal) => source.readConsistent(service, query, signal),
      onRemoved: () => this.#republish(),
      onListed: (instances) => {
        this.#accept({ instances, source: 'live', ...this.#listInfo });
        // The running watch has the position of the wrong list.
        this.#loop.restart();
      },
      emit: (event) => options.emit({ ...event, service, list: this.list }),
    });
    this.#outageProbe = new OutageProbe({
      clock,
      random,
      probe,
      inUse: () => ((options.isInUse?.() ?? true) ? (this.#snapshot?.passingOrWarning ?? []) : []),
      onResult: (instance, result) => this.#onProbeResult(instance, result),
      onRound: () => this.#republish(),
    });
    this.#diagnosis = new Diagnosis(clock, (signal) => source.diagnose(service, query, signal));
    this.#cancelFirstResponse = clock.after(FIRST_RESPONSE_MS, () => {
      if (!this.#snapshot) void this.#loadLastKnown();
    });
    void this.#run();
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.#snapshot;
  }

  /** Since when the source has failed to confirm the list, by the clock; undefined: the list is current. */
  get staleSince(): number | undefined {
    return this.#failure && this.#snapshot ? this.#confirmedAt : undefined;
  }

  /** True once the source has answered or failed: the first use of a service need not wait any longer. */
  get hasResult(): boolean {
    return this.#snapshot !== undefined || this.#failure !== undefined;
  }

  get isFailing(): boolean {
    return this.#failure !== undefined;
  }

  /** The error of a source that refuses the query, which waiting does not mend; undefined: it does not refuse. */
  get refusal(): DiscoveryError | undefined {
    return isRefused(this.#failure?.error) ? this.noListError() : undefined;
  }

  /** The current snapshot, if there is one, and every later one; completes when the watcher stops. */
  get snapshots$(): Observable<ServiceSnapshot> {
    return this.#snapshots;
  }

  get report(): WatchReport {
    const now = this.#options.clock.now();
    return {
      source: this.#source.description,
      query: this.#query,
      state: this.#state(),
      mode: this.#listInfo.mode ?? 'watched',
      index: this.#listInfo.index,
      updates: this.#loop.updates,
      spurious: this.#spurious,
      reconnects: this.#reconnects,
      confirmedAgoMs: this.#snapshot ? Math.round(now - this.#confirmedAt) : undefined,
      uptimeMs: Math.round(now - this.#startedAt),
      failures: this.#failure?.count ?? 0,
      error: this.#failure && errorMessage(this.#failure.error),
      connections: this.#source.connections,
      invalid: this.#listInfo.invalid ?? [],
    };
  }

  /** A call found no instance: an empty list is read again, at most once a second, instead of at the end of a pause. */
  readAgain(): void {
    const now = this.#options.clock.now();
    if (this.#failure || this.#snapshot?.instances.length !== 0 || now - this.#readAgainAt < READ_AGAIN_MS)
      return;
    this.#readAgainAt = now;
    this.#loop.restart();
  }

  /** Why there is no usable instance, as far as the source knows. */
  diagnose(): Promise<string | undefined> {
    return this.#stopping.signal.aborted ? Promise.resolve(undefined) : this.#diagnosis.get();
  }

  /** Why an instance of the snapshot is a suspect or unreachable; undefined: it is neither. */
  explain(instance: ServiceInstance): { state: 'suspect' | 'unreachable'; reason: string } | undefined {
    const suspicion = this.#protection.explain(instance);
    if (suspicion !== undefined) return { state: 'suspect', reason: suspicion };
    const reason = this.#unreachable.get(instanceKey(instance));
    return reason === undefined ? undefined : { state: 'unreachable', reason };
  }

  /**
   * Resolves at the first result, be it a list or an error, so that callers learn at once that the registry is unreachable.
   * Rejects when there is none in time.
   */
  async firstResult(timeoutMs: number): Promise<void> {
    if (this.hasResult || this.#stopping.signal.aborted) return;
    const result = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await withTimeout(this.#options.clock, timeoutMs, result, () =>
      this.noListError(`no response in ${timeoutMs} ms`),
    );
  }

  /** Why there is no list. */
  noListError(reason?: string): DiscoveryError {
    const error = this.#failure?.error ?? (this.#stopping.signal.aborted ? shutDownError() : undefined);
    const message = `no list of "${this.#service}"${describeQuery(this.#query)} from ${this.#source.description}: ${reason ?? errorMessage(error)}`;
    const isAnswer = error instanceof DiscoveryError && error.code === 'RK_UNKNOWN_DATACENTER';
    if (isAnswer || isRefused(error)) return new DiscoveryError(error.code, message, { cause: error });
    return new DiscoveryError('RK_REGISTRY_UNREACHABLE', message, {
      hint: 'Calls work as soon as the registry responds once; it is retried in the background',
      cause: error,
    });
  }

  stop(): void {
    this.#stopping.abort(shutDownError());
    this.#outageProbe.stop();
    this.#cancelFirstResponse();
    this.#snapshots.complete();
    this.#resolveWaiting();
  }

  async #run(): Promise<void> {
    const { outages, reachability, recoveryPing } = this.#options;
    await this.#loop.run(this.#stopping.signal);
    outages.stopped(this);
    reachability?.forget(this);
    recoveryPing.recovered(this);
    this.#resolveWaiting();
  }

  #accept({ instances, source, index, mode = 'watched', invalid = [] }: InstanceList): void {
    this.#reportInvalid(invalid);
    // Without a leader an empty list has no meaning; the last known list may be better.
    if (source === 'stale' && instances.length === 0 && !this.#snapshot) return;
    // A list from disk may be very old, so every live list replaces it without protection.
    const replacesDiskList = this.#snapshot?.source === 'disk' && source !== 'stale';
    const previouslyUsable = replacesDiskList ? [] : (this.#snapshot?.passingOrWarning ?? []);
    this.#listInfo = { index, mode, invalid };
    // A stale list is better than none, but does not show that the registry has recovered.
    if (source !== 'stale') {
      this.#recover();
      this.#confirmedAt = this.#options.clock.now();
    }
    this.#listed = instances;
    this.#protection.check(previouslyUsable, instances, this.#stopping.signal);
    const before = this.#snapshot;
    this.#publish(source);
    if (this.#snapshot === before) this.#spurious++;
    if (source !== 'stale' && this.#protection.suspects.length === 0 && this.#snapshot)
      this.#options.saveLastKnown?.({
        instances: this.#snapshot.instances,
        source,
        confirmedAt: Date.now(),
      });
    this.#resolveWaiting();
  }

  /** Once for each instance and reason. */
  #reportInvalid(invalid: readonly InvalidInstance[]): void {
    const known = new Set(this.#listInfo.invalid?.map(({ id, reason }) => `${id} ${reason}`));
    for (const { id, reason } of invalid)
      if (!known.has(`${id} ${reason}`))
        this.#options.emit({ type: 'instance.invalid', service: this.#service, list: this.list, id, reason });
  }

  #recover(): void {
    if (!this.#failure) return;
    const { outages, reconnectSignal, reachability, recoveryPing, emit, clock } = this.#options;
    const afterMs = Math.round(clock.now() - this.#failure.since);
    this.#failure = undefined;
    recoveryPing.recovered(this);
    this.#outageProbe.stop();
    this.#unreachable.clear();
    outages.recovered(this);
    reachability?.reachable(this);
    reconnectSignal.reconnected();
    emit({ type: 'list.recovered', service: this.#service, list: this.list, afterMs });
  }

  #republish(): void {
    this.#publish(this.#snapshot?.source ?? 'live');
  }

  /** Replaces the snapshot if anything about it changed. */
  #publish(source: SnapshotSource, receivedAt = Date.now()): void {
    const previous = this.#snapshot;
    const { suspects } = this.#protection;
    const listed = new Set(suspects.length > 0 ? this.#listed.map(instanceKey) : []);
    const missing = suspects.filter((instance) => !listed.has(instanceKey(instance)));
    const next = nextSnapshot(previous, {
      service: this.#service,
      instances: missing.length > 0 ? [...this.#listed, ...missing] : this.#listed,
      suspects: new Set(missing.map(instanceKey)),
      unreachable: new Set(this.#unreachable.keys()),
      source,
      receivedAt,
      ageMs: () => Math.max(0, Math.round(this.#options.clock.now() - this.#confirmedAt)),
    });
    if (!next) return;
    this.#cancelFirstResponse();
    this.#snapshot = next;
    this.#snapshots.next(next);
    if (!previous) return;
    for (const event of eventsBetween(previous, next, this.list)) this.#options.emit(event);
  }

  #onProbeResult(instance: ServiceInstance, result: ProbeResult): void {
    if (result === 'unknown') return;
    const { emit } = this.#options;
    const key = instanceKey(instance);
    const scope = { service: this.#service, list: this.list, id: instance.id };
    if (result === 'reachable') {
      if (this.#unreachable.delete(key))
        emit({ type: 'instance.reachable', ...scope, reason: 'it accepts connections again' });
      return;
    }
    const reason = `probed while the registry is unreachable: ${PROBE_REASONS[result]}`;
    if (!this.#unreachable.has(key)) emit({ type: 'instance.unreachable', ...scope, reason });
    this.#unreachable.set(key, reason);
  }

  /** @returns the number of consecutive failures */
  async #fail(error: unknown): Promise<number> {
    const { clock, outages, reachability, recoveryPing, emit } = this.#options;
    this.#reconnects++;
    const count = (this.#failure?.count ?? 0) + 1;
    this.#failure = { count, since: this.#failure?.since ?? clock.now(), error };
    if (!this.#snapshot) await this.#loadLastKnown();
    if (isAborted(this.#stopping.signal)) return count;
    const size = this.#snapshot?.instances.length;
    const kept = size === undefined ? 'no list yet' : `keeping the last known list (instances: ${size})`;
    const message = `cannot watch "${this.#service}"${describeQuery(this.#query)}, ${kept}, retrying: ${errorMessage(error)}`;
    outages.failed(this, error, message);
    if (isReachable(error)) reachability?.reachable(this);
    else reachability?.unreachable(this, errorMessage(error));
    recoveryPing.failed(this, error);
    if (this.#snapshot) this.#outageProbe.start();
    if (count === 1 && this.#snapshot)
      emit({ type: 'list.stale', service: this.#service, list: this.list, reason: errorMessage(error) });
    this.#resolveWaiting();
    return count;
  }

  /** Uses an older list when the source has never answered. */
  async #loadLastKnown(): Promise<void> {
    const { loadLastKnown, clock, emit } = this.#options;
    if (!loadLastKnown || this.#hasLoadedLastKnown) return;
    this.#hasLoadedLastKnown = true;
    // Reading from a disk may hang as well.
    const loaded = await withTimeout(
      clock,
      LOAD_TIMEOUT_MS,
      loadLastKnown(),
      () => new Error('timed out'),
    ).catch(() => undefined);
    if (!loaded || this.#snapshot || this.#stopping.signal.aborted) return;
    this.#listed = loaded.instances;
    const ageMs = Math.max(0, Date.now() - loaded.confirmedAt);
    this.#confirmedAt = clock.now() - ageMs;
    this.#publish(loaded.source, loaded.confirmedAt);
    const scope = { service: this.#service, list: this.list };
    emit({ type: 'snapshot.restored', ...scope, instances: loaded.instances.length, ageMs });
    this.#resolveWaiting();
  }

  #state(): WatchReport['state'] {
    if (this.#failure) return 'failing';
    if (!this.#snapshot) return 'starting';
    return this.#protection.suspects.length > 0 ? 'suspect' : 'current';
  }

  #resolveWaiting(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const PROBE_REASONS = {
  refused: 'connection refused',
  timeout: 'no response',
  'not-ready': 'its readiness check fails',
} as const;
