import { isDeepStrictEqual } from 'node:util';
import { ReplaySubject, type Observable } from 'rxjs';
import { DiscoveryError, shutDown } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/reason-of.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { Reachability } from '../registry/reachability.js';
import { describeQuery, type ServiceQuery } from '../registry/service-query.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import { backoffPause } from '../timing/backoff.js';
import { bounded } from '../timing/bounded.js';
import { isAborted, pause, pauseUntil, type Clock, type Random } from '../timing/clock.js';
import type { OutageLog } from './outage-log.js';
import { createSnapshot, type ServiceSnapshot } from './service-snapshot.js';

export interface WatcherOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly outages: OutageLog;
  readonly reachability: Reachability;
}

const REFUSALS: ReadonlySet<string> = new Set([
  'RK_REGISTRY_REFUSED',
  'RK_ACL_DENIED',
  'RK_INVALID_ARGUMENT',
  'RK_NOT_FOUND',
  'RK_SHUT_DOWN',
]);
const BACKOFF = { base: 250, cap: 30_000 };
/** Consul's own advice for blocking queries: a rate limit on the client's side, since a busy service answers at once. */
const SHORTEST_ROUND_MS = 100;

/** Keeps one snapshot current for as long as it runs. On an error the last one stays, and the registry is asked anew. */
export class ServiceWatcher {
  readonly #stopping = new AbortController();
  readonly #snapshots = new ReplaySubject<ServiceSnapshot>(1);
  readonly #registry: ServiceRegistry;
  readonly #service: string;
  readonly #query: ServiceQuery;
  readonly #options: WatcherOptions;
  #snapshot: ServiceSnapshot | undefined;
  #failures = 0;
  #lastError: unknown;
  #heardAt: number | undefined;
  #waiting: { resolve: () => void }[] = [];

  constructor(registry: ServiceRegistry, service: string, query: ServiceQuery, options: WatcherOptions) {
    this.#registry = registry;
    this.#service = service;
    this.#query = query;
    this.#options = options;
    void this.#run(this.#stopping.signal);
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.#snapshot;
  }

  /** When the registry last confirmed the list, while it fails to; by the clock. */
  get staleSince(): number | undefined {
    return this.#failures === 0 ? undefined : this.#heardAt;
  }

  /** The snapshot now, if there is one, and every later one; completes when the watcher stops. */
  get snapshots$(): Observable<ServiceSnapshot> {
    return this.#snapshots;
  }

  /**
   * The first snapshot. Waits only for the first answer, be it a list or an error: while the registry is away, callers
   * are told so at once.
   *
   * @throws DiscoveryError `RK_REGISTRY_UNREACHABLE` when there has never been a list
   */
  async first(timeoutMs: number): Promise<ServiceSnapshot> {
    if (!this.#snapshot && this.#failures === 0) {
      const answered = new Promise<void>((resolve) => this.#waiting.push({ resolve }));
      await bounded(this.#options.clock, timeoutMs, answered, () =>
        this.#noList(`no answer in ${timeoutMs} ms`),
      );
    }
    if (this.#snapshot) return this.#snapshot;
    throw this.#noList(reasonOf(this.#lastError));
  }

  stop(): void {
    this.#lastError ??= shutDown();
    this.#stopping.abort(shutDown());
    this.#snapshots.complete();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      try {
        for await (const instances of this.#registry.watch(this.#service, this.#query, signal)) {
          this.#accept(instances);
          await pause(clock, SHORTEST_ROUND_MS, signal);
        }
        this.#failed(new Error('the watch ended'));
      } catch (error) {
        if (isAborted(signal)) break;
        this.#failed(error);
      }
      const { answered$ } = this.#options.reachability;
      await pauseUntil(clock, backoffPause(this.#failures, BACKOFF, random), signal, answered$).catch(
        () => undefined,
      );
    }
    this.#options.outages.stopped(this);
    this.#answer(); // whoever still waits for a first list is told that none will come
  }

  #accept(instances: readonly ServiceInstance[]): void {
    if (this.#failures > 0) {
      this.#options.outages.recovered(this);
      this.#options.reachability.answered();
    }
    this.#failures = 0;
    this.#heardAt = this.#options.clock.now();
    const previous = this.#snapshot;
    if (!previous || !isDeepStrictEqual(previous.instances, instances)) {
      const version = (previous?.version ?? 0) + 1;
      this.#snapshot = createSnapshot(this.#service, instances, version, Date.now());
      this.#snapshots.next(this.#snapshot);
    }
    this.#answer();
  }

  #failed(error: unknown): void {
    this.#failures++;
    this.#lastError = error;
    const count = this.#snapshot?.instances.length;
    const kept = count === undefined ? 'no list yet' : `its last list stays in use (instances: ${count})`;
    const message = `cannot watch "${this.#service}"${describeQuery(this.#query)}, ${kept}, trying again: ${reasonOf(error)}`;
    this.#options.outages.failed(this, error, message);
    this.#answer();
  }

  #answer(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
  }

  #noList(reason: string): DiscoveryError {
    const what = `no list of "${this.#service}" from ${this.#registry.description}: ${reason}`;
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
}
