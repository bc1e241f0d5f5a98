import { ReplaySubject, type Observable, type Subscription } from 'rxjs';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { IsolatedObservable } from '../events/isolated-observable.js';
import { hostAndPort, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import { failoverOf, isNarrowing, whyNotWanted, type ServiceQuery } from '../registry/service-query.js';
import type { Clock } from '../timing/clock.js';
import { chooseLeg, type FailoverRule, type LegChoice } from './choose-list.js';
import { NO_DIFFERENCE, sameMembers, succeed } from './diff-lists.js';
import { createSnapshot, type ServiceSnapshot } from './service-snapshot.js';
import type { ServiceWatcher } from './service-watcher.js';

/** One of the lists that a view is made of. */
export interface Leg {
  /** For events and explanations: `dc2`, or the name of a registry. */
  readonly name: string;
  readonly watcher: ServiceWatcher;
  /** A list to be added to those that are there (`all`), not one instead of another (`first`). */
  readonly merge: 'first' | 'all';
}

export interface ViewOptions {
  readonly clock: Clock;
  readonly emit: (event: DiscoveryEvent) => void;
  /** A subscriber threw. */
  readonly onThrown: (error: unknown) => void;
}

/** Where there are others to turn to, the first choice is waited for no longer than this. */
const FIRST_CHOICE_PATIENCE_MS = 1_000;

/** What one query sees: chosen out of one or several lists, and narrowed down by what no registry is asked for. */
export class ServiceView {
  readonly snapshots$: Observable<ServiceSnapshot>;
  readonly service: string;
  readonly query: ServiceQuery;
  readonly legs: readonly Leg[];
  readonly #options: ViewOptions;
  readonly #rule: FailoverRule;
  readonly #snapshots = new ReplaySubject<ServiceSnapshot>(1);
  readonly #subscription: Subscription[];
  readonly #isPlain: boolean;
  #choice: LegChoice | undefined;
  #lookAgain: (() => void) | undefined;
  #snapshot: ServiceSnapshot | undefined;
  #lastUse: number;
  readonly #patienceEndsAt: number;
  #isClosed = false;

  constructor(service: string, query: ServiceQuery, legs: readonly Leg[], options: ViewOptions) {
    this.service = service;
    this.query = query;
    this.legs = legs;
    this.#options = options;
    this.#lastUse = options.clock.now();
    this.#patienceEndsAt = this.#lastUse + FIRST_CHOICE_PATIENCE_MS;
    this.#rule = failoverOf(query) ?? { below: 1, returnAfterMs: 0 };
    this.#isPlain = legs.length === 1 && !isNarrowing(query);
    this.snapshots$ = new IsolatedObservable(this.#snapshots, options.onThrown);
    this.#subscription = legs.map(({ watcher }) => watcher.snapshots$.subscribe(() => this.#refresh()));
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.#snapshot;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Somebody asks on behalf of a call. */
  use(): ServiceSnapshot | undefined {
    this.#lastUse = this.#options.clock.now();
    return this.#snapshot;
  }

  /** For how long nobody has asked; 0 while somebody is subscribed. */
  get unusedFor(): number {
    return this.#snapshots.observed ? 0 : this.#options.clock.now() - this.#lastUse;
  }

  /** Which lists are in use: their indexes among the legs. */
  get chosen(): readonly number[] {
    const current = this.#choice?.current ?? 0;
    return this.legs.flatMap(({ merge }, at) => (at === current || merge === 'all' ? [at] : []));
  }

  /**
   * The first snapshot. Waits only for the first answer, be it a list or an error.
   *
   * @throws DiscoveryError `RK_REGISTRY_UNREACHABLE` when there has never been a list
   */
  async first(timeoutMs: number): Promise<ServiceSnapshot> {
    const { clock } = this.#options;
    const deadline = clock.now() + timeoutMs;
    for (;;) {
      this.#refresh();
      const unsettled = this.legs.filter(({ watcher }) => !watcher.isSettled);
      const rest = deadline - clock.now();
      if (this.#snapshot || unsettled.length === 0 || rest <= 0) break;
      const patience = this.#patienceEndsAt - clock.now();
      const wait = this.legs.length > 1 && patience > 0 ? Math.min(rest, patience) : rest;
      // Whoever settles first may be enough; who does not in time is looked at again above.
      await Promise.race(unsettled.map(({ watcher }) => watcher.settled(wait).catch(() => undefined)));
    }
    const refusals = this.legs.map(({ watcher }) => watcher.refusal);
    // One of lesser choice may refuse what a better one has answered.
    const refusal = refusals.slice(0, (this.#choice?.current ?? 0) + 1).find((found) => found !== undefined);
    if (this.#snapshot && !(refusal && this.#snapshot.instances.length === 0)) return this.#snapshot;
    throw refusal ?? this.#noList(timeoutMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#lookAgain?.();
    for (const subscription of this.#subscription) subscription.unsubscribe();
    this.#snapshots.complete();
  }

  #noList(timeoutMs: number): Error {
    const without = this.legs.find(({ watcher }) => !watcher.snapshot)?.watcher;
    if (!without) return new Error('a view of nothing');
    return without.isSettled ? without.noList() : without.noList(`no answer in ${timeoutMs} ms`);
  }

  #refresh(): void {
    if (this.#isClosed) return;
    const [only] = this.legs;
    if (this.#isPlain && only) {
      if (only.watcher.snapshot !== this.#snapshot) this.#emit(only.watcher.snapshot);
      return;
    }
    this.#choose();
    const used = this.chosen.flatMap((at) => this.legs[at]?.watcher.snapshot ?? []);
    const [best] = used;
    const previous = this.#snapshot;
    if (!best || (!previous && this.#isTooEarly())) return;
    const wanted = (instances: readonly ServiceInstance[]): ServiceInstance[] =>
      instances.filter((instance) => whyNotWanted(instance, this.query) === undefined);
    const united = wanted(unite(used.map(({ instances }) => instances)));
    const succession = succeed(previous?.instances ?? [], united);
    const instances = succession?.instances ?? previous?.instances ?? [];
    // Those of this very list: another one may describe the same instance with another object.
    const among = (chosen: readonly ServiceInstance[]): ServiceInstance[] => {
      const keys = new Set(chosen.map(instanceKey));
      return keys.size === 0 ? [] : instances.filter((instance) => keys.has(instanceKey(instance)));
    };
    const suspects = among(used.flatMap((snapshot) => snapshot.suspects));
    const avoided = among(used.flatMap((snapshot) => snapshot.avoided));
    const isSame =
      previous?.source === best.source &&
      sameMembers(suspects, previous.suspects) &&
      sameMembers(avoided, previous.avoided);
    if (!succession && isSame) return;
    this.#emit(
      createSnapshot({
        service: this.service,
        instances,
        suspects: Object.freeze(suspects),
        avoided: Object.freeze(avoided),
        difference: (previous && succession?.difference) ?? NO_DIFFERENCE,
        version: (previous?.version ?? 0) + 1,
        source: best.source,
        receivedAt: best.receivedAt,
        age: () => Math.max(...used.map(({ age }) => age)),
      }),
    );
  }

  #choose(): void {
    const { clock, emit } = this.#options;
    const before = this.#choice;
    // Who adds to the others is no alternative to them.
    const usable = this.legs.map(({ watcher, merge }, at) =>
      merge === 'all' && at > 0 ? undefined : this.#usableIn(watcher.snapshot),
    );
    this.#choice = chooseLeg(usable, this.#rule, before, clock.now());
    this.#lookAgain?.();
    const { current } = this.#choice;
    const isWaiting = !this.#snapshot && clock.now() < this.#patienceEndsAt;
    const lookAgainAt = this.#choice.lookAgainAt ?? (isWaiting ? this.#patienceEndsAt : undefined);
    this.#lookAgain =
      lookAgainAt === undefined
        ? undefined
        : clock.after(Math.max(1, lookAgainAt - clock.now()), () => this.#refresh());
    // What is chosen before there is a list is no move; nor is it one where there is nothing to go to.
    if (!before || before.current === current || !this.#snapshot || (usable[current] ?? 0) === 0) return;
    const count = usable[before.current];
    const [from, to] = [before.current, current].map((at) => this.legs[at]?.name ?? '');
    const had = count === undefined ? 'no list' : `${count} usable instances`;
    emit({
      type: 'service.failover',
      service: this.service,
      from: from ?? '',
      to: to ?? '',
      reason: `${from} has ${had}, ${to} has ${usable[current] ?? 0}`,
    });
  }

  /**
   * A list of lesser choice is no first answer while a better one may still come; and an empty one never is where the
   * better one is only away.
   */
  #isTooEarly(): boolean {
    const current = this.#choice?.current ?? 0;
    const isEmpty = (this.#usableIn(this.legs[current]?.watcher.snapshot) ?? 0) === 0;
    if (isEmpty && this.legs.some(({ watcher }) => !watcher.isSettled)) return true;
    const better = this.legs.slice(0, current).filter(({ watcher }) => !watcher.snapshot);
    if (better.length === 0) return false;
    const mayCome = better.some(({ watcher }) => !watcher.isSettled);
    return isEmpty || (mayCome && this.#options.clock.now() < this.#patienceEndsAt);
  }

  /** Strictly: those found silent do not count, though they are used when nobody else is left. */
  #usableIn(snapshot: ServiceSnapshot | undefined): number | undefined {
    if (!snapshot) return undefined;
    const { passing, passingOrWarning, avoided } = snapshot;
    const candidates = this.query.includeWarning || passing.length === 0 ? passingOrWarning : passing;
    return candidates.filter(
      (instance) => !avoided.includes(instance) && whyNotWanted(instance, this.query) === undefined,
    ).length;
  }

  #emit(snapshot: ServiceSnapshot | undefined): void {
    if (!snapshot) return;
    this.#snapshot = snapshot;
    this.#snapshots.next(snapshot);
  }
}

/**
 * Of instances with one id, or one address, in several lists the first is kept: registries in their order. (DNS knows
 * nothing of ids.)
 */
function unite(lists: readonly (readonly ServiceInstance[])[]): readonly ServiceInstance[] {
  const [first = [], ...rest] = lists;
  if (rest.length === 0) return first;
  const known = new Set(first.flatMap((instance) => [instance.id, hostAndPort(instance)]));
  const united = [...first];
  for (const list of rest) {
    // Within one list an id may well stand on two nodes.
    const added = list.filter((instance) => !known.has(instance.id) && !known.has(hostAndPort(instance)));
    united.push(...added);
    for (const instance of added) known.add(instance.id).add(hostAndPort(instance));
  }
  return united;
}
