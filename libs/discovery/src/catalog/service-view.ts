import { ReplaySubject, type Observable, type Subscription } from 'rxjs';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { IsolatedObservable } from '../events/isolated-observable.js';
import { hostAndPort, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import { failoverOf, hasLocalFilter, mismatchReason, type ServiceQuery } from '../registry/service-query.js';
import type { Clock } from '../timing/clock.js';
import { chooseList, type FailoverRule, type SourceChoice } from './choose-list.js';
import { nextSnapshot } from './next-snapshot.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import type { ServiceWatcher } from './service-watcher.js';

/** One of the lists that a view is made of. */
export interface ViewSource {
  /** For events and explanations: `dc2`, or the name of a registry. */
  readonly name: string;
  readonly watcher: ServiceWatcher;
  /** `all`: its instances are added to those of the other sources. `first`: it is an alternative to them. */
  readonly merge: 'first' | 'all';
}

export interface ViewOptions {
  readonly clock: Clock;
  readonly emit: (event: DiscoveryEvent) => void;
  /** A subscriber threw. */
  readonly onThrown: (error: unknown) => void;
}

/** How long the preferred source is waited for when there are alternatives. */
const PREFERRED_SOURCE_TIMEOUT_MS = 1_000;

/** The instances that match one query: selected from one or several watched lists, and filtered by what no registry evaluates. */
export class ServiceView {
  readonly snapshots$: Observable<ServiceSnapshot>;
  readonly service: string;
  readonly query: ServiceQuery;
  readonly sources: readonly ViewSource[];
  readonly #options: ViewOptions;
  readonly #rule: FailoverRule;
  readonly #snapshots = new ReplaySubject<ServiceSnapshot>(1);
  readonly #subscriptions: Subscription[];
  /** One source and no filter: its snapshots are passed on as they are. */
  readonly #isPlain: boolean;
  readonly #preferredSourceDeadline: number;
  #choice: SourceChoice | undefined;
  #cancelRecheck: (() => void) | undefined;
  #snapshot: ServiceSnapshot | undefined;
  #lastUse: number;
  #isClosed = false;

  constructor(service: string, query: ServiceQuery, sources: readonly ViewSource[], options: ViewOptions) {
    this.service = service;
    this.query = query;
    this.sources = sources;
    this.#options = options;
    this.#lastUse = options.clock.now();
    this.#preferredSourceDeadline = this.#lastUse + PREFERRED_SOURCE_TIMEOUT_MS;
    this.#rule = failoverOf(query) ?? { minInstances: 1, failbackAfterMs: 0 };
    this.#isPlain = sources.length === 1 && !hasLocalFilter(query);
    this.snapshots$ = new IsolatedObservable(this.#snapshots, options.onThrown);
    this.#subscriptions = sources.map(({ watcher }) => watcher.snapshots$.subscribe(() => this.#refresh()));
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.#snapshot;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The current snapshot, for a call; marks the view as used. */
  touch(): ServiceSnapshot | undefined {
    this.#lastUse = this.#options.clock.now();
    return this.#snapshot;
  }

  /** Milliseconds since the last use; 0 while there is a subscriber. */
  get idleMs(): number {
    return this.#snapshots.observed ? 0 : this.#options.clock.now() - this.#lastUse;
  }

  /** The indexes of the sources that are in use. */
  get chosen(): readonly number[] {
    const current = this.#choice?.current ?? 0;
    return this.sources.flatMap(({ merge }, index) => (index === current || merge === 'all' ? [index] : []));
  }

  /**
   * The first snapshot. Waits only for the first result, be it a list or an error.
   *
   * @throws DiscoveryError `RK_REGISTRY_UNREACHABLE` when there has never been a list
   */
  async first(timeoutMs: number): Promise<ServiceSnapshot> {
    const { clock } = this.#options;
    const deadline = clock.now() + timeoutMs;
    for (;;) {
      this.#refresh();
      const pending = this.sources.filter(({ watcher }) => !watcher.hasResult);
      const remaining = deadline - clock.now();
      // The watchers of a closed view have nothing to wait for, and say so at once each time.
      if (this.#snapshot || this.#isClosed || pending.length === 0 || remaining <= 0) break;
      const untilPreferred = this.#preferredSourceDeadline - clock.now();
      const wait =
        this.sources.length > 1 && untilPreferred > 0 ? Math.min(remaining, untilPreferred) : remaining;
      // The first source to have a result may suffice; the loop checks the others again.
      await Promise.race(pending.map(({ watcher }) => watcher.firstResult(wait).catch(() => undefined)));
    }
    const refusals = this.sources.map(({ watcher }) => watcher.refusal);
    // A less preferred source may refuse what a better one has answered.
    const refusal = refusals.slice(0, (this.#choice?.current ?? 0) + 1).find((found) => found !== undefined);
    if (this.#snapshot && !(refusal && this.#snapshot.instances.length === 0)) return this.#snapshot;
    throw refusal ?? this.#noListError(timeoutMs);
  }

  /** A call found no instance. */
  readAgain(): void {
    for (const { watcher } of this.sources) watcher.readAgain();
  }

  /** Why there is no usable instance, as far as the preferred source knows. */
  async diagnose(): Promise<string | undefined> {
    return this.sources[0]?.watcher.diagnose();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRecheck?.();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#snapshots.complete();
  }

  #noListError(timeoutMs: number): Error {
    const watcher = this.sources.find((source) => !source.watcher.snapshot)?.watcher;
    if (!watcher) return new Error('a view without sources');
    return watcher.hasResult || this.#isClosed
      ? watcher.noListError()
      : watcher.noListError(`no response in ${timeoutMs} ms`);
  }

  #refresh(): void {
    if (this.#isClosed) return;
    const [only] = this.sources;
    if (this.#isPlain && only) {
      if (only.watcher.snapshot !== this.#snapshot) this.#publish(only.watcher.snapshot);
      return;
    }
    this.#choose();
    const used = this.chosen.flatMap((index) => this.sources[index]?.watcher.snapshot ?? []);
    const [best] = used;
    const previous = this.#snapshot;
    if (!best || (!previous && this.#isTooEarly())) return;
    const merged = mergeLists(used.map(({ instances }) => instances));
    this.#publish(
      nextSnapshot(previous, {
        service: this.service,
        instances: merged.filter((instance) => mismatchReason(instance, this.query) === undefined),
        suspects: new Set(used.flatMap(({ suspects }) => suspects.map(instanceKey))),
        unreachable: new Set(used.flatMap(({ unreachable }) => unreachable.map(instanceKey))),
        source: best.source,
        receivedAt: best.receivedAt,
        ageMs: () => Math.max(...used.map(({ ageMs }) => ageMs)),
      }),
    );
  }

  #choose(): void {
    const { clock } = this.#options;
    const before = this.#choice;
    // A source that is merged is not an alternative to the others.
    const usable = this.sources.map(({ watcher, merge }, index) =>
      merge === 'all' && index > 0 ? undefined : this.#usableIn(watcher.snapshot),
    );
    this.#choice = chooseList(usable, this.#rule, before, clock.now());
    this.#scheduleRecheck(this.#choice);
    const { current } = this.#choice;
    // Neither the first choice nor a change to an empty source is a failover.
    if (!before || before.current === current || !this.#snapshot || (usable[current] ?? 0) === 0) return;
    this.#emitFailover(before.current, current, usable);
  }

  #scheduleRecheck({ recheckAt }: SourceChoice): void {
    const { clock } = this.#options;
    this.#cancelRecheck?.();
    const isWaiting = !this.#snapshot && clock.now() < this.#preferredSourceDeadline;
    const at = recheckAt ?? (isWaiting ? this.#preferredSourceDeadline : undefined);
    this.#cancelRecheck =
      at === undefined ? undefined : clock.after(Math.max(1, at - clock.now()), () => this.#refresh());
  }

  #emitFailover(before: number, current: number, usable: readonly (number | undefined)[]): void {
    const count = usable[before];
    const [from = '', to = ''] = [before, current].map((index) => this.sources[index]?.name ?? '');
    const had = count === undefined ? 'no list' : `${count} usable instances`;
    this.#options.emit({
      type: 'service.failover',
      service: this.service,
      from,
      to,
      reason: `${from} has ${had}, ${to} has ${usable[current] ?? 0}`,
    });
  }

  /**
   * A less preferred list is not used as the first one while a better one may still arrive; and an empty one is never used
   * while the better source is only unreachable.
   */
  #isTooEarly(): boolean {
    const current = this.#choice?.current ?? 0;
    const isEmpty = (this.#usableIn(this.sources[current]?.watcher.snapshot) ?? 0) === 0;
    if (isEmpty && this.sources.some(({ watcher }) => !watcher.hasResult)) return true;
    const better = this.sources.slice(0, current).filter(({ watcher }) => !watcher.snapshot);
    if (better.length === 0) return false;
    const mayArrive = better.some(({ watcher }) => !watcher.hasResult);
    return isEmpty || (mayArrive && this.#options.clock.now() < this.#preferredSourceDeadline);
  }

  /** Without unreachable instances, even where they would be used because no other is left. */
  #usableIn(snapshot: ServiceSnapshot | undefined): number | undefined {
    if (!snapshot) return undefined;
    const { passing, passingOrWarning, unreachable } = snapshot;
    const candidates = this.query.includeWarning || passing.length === 0 ? passingOrWarning : passing;
    return candidates.filter(
      (instance) => !unreachable.includes(instance) && mismatchReason(instance, this.query) === undefined,
    ).length;
  }

  #publish(snapshot: ServiceSnapshot | undefined): void {
    if (!snapshot) return;
    this.#snapshot = snapshot;
    this.#snapshots.next(snapshot);
  }
}

/**
 * Merges lists in the order of their sources. Of instances with the same id or the same address the first one is kept: DNS,
 * for one, has no ids.
 */
function mergeLists(lists: readonly (readonly ServiceInstance[])[]): readonly ServiceInstance[] {
  const [first = [], ...rest] = lists;
  if (rest.length === 0) return first;
  const known = new Set(first.flatMap((instance) => [instance.id, hostAndPort(instance)]));
  const merged = [...first];
  for (const list of rest) {
    // Within one list the same id may exist on two nodes.
    const added = list.filter((instance) => !known.has(instance.id) && !known.has(hostAndPort(instance)));
    merged.push(...added);
    for (const instance of added) known.add(instance.id).add(hostAndPort(instance));
  }
  return merged;
}
