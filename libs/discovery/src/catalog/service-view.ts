import { ReplaySubject, type Observable, type Subscription } from 'rxjs';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { IsolatedObservable } from '../events/isolated-observable.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { failoverOf, isNarrowing, whyNotWanted, type ServiceQuery } from '../registry/service-query.js';
import type { Clock } from '../timing/clock.js';
import { chooseLeg, type FailoverRule, type LegChoice } from './choose-leg.js';
import { NO_DIFFERENCE, succeed } from './list-difference.js';
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

  constructor(service: string, query: ServiceQuery, legs: readonly Leg[], options: ViewOptions) {
    this.service = service;
    this.query = query;
    this.legs = legs;
    this.#options = options;
    this.#lastUse = options.clock.now();
    this.#rule = failoverOf(query) ?? { below: 1, returnAfterMs: 0 };
    this.#isPlain = legs.length === 1 && !isNarrowing(query);
    this.snapshots$ = new IsolatedObservable(this.#snapshots, options.onThrown);
    this.#subscription = legs.map(({ watcher }) => watcher.snapshots$.subscribe(() => this.#refresh()));
  }

  get snapshot(): ServiceSnapshot | undefined {
    return this.#snapshot;
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
    const [primary, ...others] = this.legs.map(({ watcher }) => watcher);
    if (!this.#snapshot && primary) {
      const patience = others.length === 0 ? timeoutMs : Math.min(timeoutMs, FIRST_CHOICE_PATIENCE_MS);
      const asked = primary.settled(patience);
      await (others.length === 0 ? asked : asked.catch(() => undefined));
      const rest = Math.max(1, timeoutMs - patience);
      if (others.length > 0 && this.snapshot === undefined)
        await Promise.any(others.map((other) => haveList(other, rest))).catch(() => undefined);
    }
    const refusal = this.legs.map(({ watcher }) => watcher.refusal).find((found) => found !== undefined);
    if (this.#snapshot && !(refusal && this.#snapshot.instances.length === 0)) return this.#snapshot;
    throw refusal ?? primary?.noList() ?? new Error('a view of nothing');
  }

  close(): void {
    this.#lookAgain?.();
    for (const subscription of this.#subscription) subscription.unsubscribe();
    this.#snapshots.complete();
  }

  #refresh(): void {
    const [only] = this.legs;
    if (this.#isPlain && only) return this.#emit(only.watcher.snapshot);
    this.#choose();
    const used = this.chosen.flatMap((at) => this.legs[at]?.watcher.snapshot ?? []);
    const [best] = used;
    if (!best) return;
    const previous = this.#snapshot;
    const wanted = (instances: readonly ServiceInstance[]): ServiceInstance[] =>
      instances.filter((instance) => whyNotWanted(instance, this.query) === undefined);
    const united = wanted(unite(used.map(({ instances }) => instances)));
    const succession = succeed(previous?.instances ?? [], united);
    const suspects = wanted(used.flatMap((snapshot) => snapshot.suspects));
    const avoided = wanted(used.flatMap((snapshot) => snapshot.avoided));
    const isSame =
      previous?.source === best.source &&
      String(suspects.map(({ id }) => id)) === String(previous.suspects.map(({ id }) => id)) &&
      String(avoided.map(({ id }) => id)) === String(previous.avoided.map(({ id }) => id));
    if (!succession && isSame) return;
    this.#emit(
      createSnapshot({
        service: this.service,
        instances: succession?.instances ?? previous?.instances ?? [],
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
    const { lookAgainAt, current } = this.#choice;
    this.#lookAgain =
      lookAgainAt === undefined
        ? undefined
        : clock.after(Math.max(1, lookAgainAt - clock.now()), () => this.#refresh());
    if (!before || before.current === current) return;
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

/** Of instances with one id the first is kept: registries in their order. */
function unite(lists: readonly (readonly ServiceInstance[])[]): readonly ServiceInstance[] {
  const [first = [], ...rest] = lists;
  if (rest.length === 0) return first;
  const known = new Set(first.map(({ id }) => id));
  const united = [...first];
  for (const list of rest) {
    for (const instance of list) {
      if (known.has(instance.id)) continue;
      known.add(instance.id);
      united.push(instance);
    }
  }
  return united;
}

async function haveList(watcher: ServiceWatcher, timeoutMs: number): Promise<void> {
  await watcher.settled(timeoutMs);
  if (!watcher.snapshot) throw watcher.noList();
}
