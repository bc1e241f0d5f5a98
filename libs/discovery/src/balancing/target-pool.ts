import type { InstanceProbe } from '../registry/instance-probe.js';
import { usableInstances, type ServiceSnapshot } from '../catalog/service-snapshot.js';
import { reasonOf } from '../errors/error-message.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { hostAndPort, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import type { Clock, Random } from '../timing/clock.js';
import { EjectionWard } from './outliers/outlier-detector.js';
import type { EjectionRules } from './outliers/outlier-rules.js';
import { hash } from './hash.js';
import type { LoadBalancer, PickContext, Target } from './load-balancer.js';
import { slowStartShare } from './traffic/slow-start.js';
import { createBalancer, needsWholeService, type Strategy } from './strategies/strategies.js';
import { subsetOf } from './traffic/subset.js';
import { TargetState, type Outcome } from './target/tracked-target.js';
import { Xorshift } from './xorshift.js';
import { zoneShares } from './traffic/zone-shares.js';

export interface PoolOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: nobody is ejected. */
  readonly ejection: EjectionRules | undefined;
  readonly slowStart: boolean;
  /** The caller's own; undefined: all zones are alike. */
  readonly zone: string | undefined;
  /** How the callers spread over the zones. */
  readonly callers: () => ReadonlyMap<string, number> | undefined;
  /** Looks at an instance itself; undefined: only calls tell. */
  readonly probe: InstanceProbe | undefined;
  readonly emit: (event: DiscoveryEvent) => void;
  /** It is gone, or gets no calls for a while: connections to it need not be kept. */
  readonly onUnused: (instance: ServiceInstance) => void;
}

export interface PickRequest extends PickContext {
  /** Those that this call has been to. */
  readonly tried: ReadonlySet<TargetState>;
  /**
   * Whether it may go to somebody who has to prove that he is well: a call whose failure costs nobody anything `at once`,
   * another one `when overdue`, a retry `never`.
   */
  readonly proves: 'at once' | 'when overdue' | 'never';
}

interface Group {
  readonly targets: readonly TargetState[];
  /** Up to where of 2^30 its share reaches. */
  readonly upTo: number;
  readonly zone: string;
}

const TICK_MS = 1_000;
/** Without calls and without anything to wait for, no timer runs after so many ticks. */
const QUIET_TICKS = 10;
const TICKS_PER_ZONES = 10;
/** Who was slow is asked again after so long, at the latest, if it costs no more than one call in so many. */
const STALE_MS = 5_000;
const CALLS_PER_LOOK = 400;
const MOST_LOOKS = 5;
const MOST_STRATEGIES = 50;
/**
 * Who failed so often in a row, and within the last second, gets no call that somebody else can take, and no retry at all. Once
 * a second one call finds out: not all of them are ejected, and those come back by it.
 */
const HOPELESS_AFTER = 5;
const HOPELESS_FOR_MS = 1_000;
/** Consul takes no more either. */
const HEAVIEST = 65_535;
const MOST_PICKS = 4;
const WHOLE = 2 ** 30;

/** The instances of one service that one client calls, with what its calls have seen of them. */
export class TargetPool {
  readonly #service: string;
  readonly #query: ServiceQuery | undefined;
  readonly #options: PoolOptions;
  readonly #random: Xorshift;
  readonly #seed: number;
  readonly #ward: EjectionWard;
  /** By strategy and zone. */
  readonly #balancers = new Map<Strategy, Map<string, LoadBalancer>>();
  /** Those that asked to be left alone, ejected for it or not. */
  readonly #resting = new Set<TargetState>();
  /** A strategy threw; that is told once. */
  #hasFailed = false;
  #snapshot: ServiceSnapshot | undefined;
  #byInstance = new Map<ServiceInstance, TargetState>();
  readonly #byKey = new Map<string, TargetState>();
  #usable: readonly TargetState[] = [];
  #active: readonly TargetState[] = [];
  /** For strategies that need the whole service. */
  #whole: Group = { targets: [], upTo: WHOLE, zone: '' };
  #groups: readonly Group[] = [];
  #cancelTick: (() => void) | undefined;
  #tickedAt = 0;
  #quietTicks = 0;
  #ticks = 0;
  #picks = 0;
  #picksAtLook = 0;
  #isClosed = false;

  constructor(service: string, query: ServiceQuery | undefined, options: PoolOptions) {
    this.#service = service;
    this.#query = query;
    this.#options = options;
    this.#random = new Xorshift(options.random);
    this.#seed = Math.floor(options.random() * 2 ** 31);
    this.#ward = new EjectionWard(service, { ...options, onChange: () => this.#arrange() });
  }

  /** Those that are not ejected, or all, in a panic. */
  get active(): readonly TargetState[] {
    return this.#active;
  }

  /** Those that the registry calls usable. */
  get usable(): readonly TargetState[] {
    return this.#usable;
  }

  get isPanic(): boolean {
    return this.#ward.isPanic;
  }

  /** What is known of an instance. */
  find(instance: Pick<ServiceInstance, 'id' | 'node' | 'datacenter'>): TargetState | undefined {
    return this.#byKey.get(instanceKey(instance));
  }

  /** Takes over a list; nothing is done where it is the one that is known. */
  update(snapshot: ServiceSnapshot): void {
    if (snapshot === this.#snapshot) return;
    const now = this.#options.clock.now();
    const isFirst = this.#snapshot === undefined;
    const next = new Map<ServiceInstance, TargetState>();
    for (const instance of snapshot.instances) {
      const target = this.#byInstance.get(instance) ?? this.#adopt(instance, isFirst ? -Infinity : now);
      this.#byInstance.delete(instance);
      next.set(instance, target);
    }
    const kept = new Set(next.values());
    for (const [instance, target] of this.#byInstance) {
      if (kept.has(target)) continue;
      target.isListed = false;
      this.#ward.discharge(target);
      const key = instanceKey(instance);
      if (this.#byKey.get(key) === target) this.#byKey.delete(key);
      this.#options.onUnused(instance);
    }
    this.#byInstance = next;
    this.#snapshot = snapshot;
    this.#usable = Object.freeze(
      usableInstances(snapshot, this.#query).flatMap((instance) => next.get(instance) ?? []),
    );
    const listed = snapshot.instances.filter(({ status }) => status !== 'maintenance').length;
    this.#ward.admit(this.#usable, listed);
    this.#arrange();
    this.#wake();
  }

  /**
   * @returns undefined when the call has been to all of them, or there is none
   */
  pick(strategy: Strategy, request: PickRequest): TargetState | undefined {
    this.#picks++;
    this.#wake();
    const onProbation = request.proves === 'never' ? undefined : this.#ward.onProbation(request);
    if (onProbation) return onProbation;
    const now = this.#resting.size > 0 ? this.#options.clock.now() : undefined;
    const group = needsWholeService(strategy) ? this.#whole : this.#group();
    if (group && group.targets.length > 0) {
      // With turns of its own: a retry that took one would give the next one's calls to the one after that.
      const isExtra = request.attempt > 0 && !needsWholeService(strategy);
      const balancer = this.#balancer(strategy, isExtra ? `${group.zone} again` : group.zone);
      for (let n = 0; n < MOST_PICKS; n++) {
        const picked = this.#ask(balancer, strategy, group.targets, request);
        if (picked instanceof TargetState && picked.isListed && this.#isFit(picked, request, now))
          return picked;
      }
    }
    const { tried, attempt } = request;
    const isFit = (target: TargetState): boolean => this.#isFit(target, request, now);
    // A call has to go somewhere; a retry has not.
    const isLeft = (target: TargetState): boolean =>
      !tried.has(target) && (attempt === 0 || !this.#isHopeless(target));
    return (
      this.#anyOf(this.#active, isFit) ??
      this.#anyOf(this.#active, isLeft) ??
      this.#anyOf(this.#usable, isLeft)
    );
  }

  /**
   * The call has not been there, and it is likely to do what is asked of it. That more have failed than may be ejected is
   * no reason to send them calls while there is somebody else.
   */
  #isFit(target: TargetState, { tried }: PickRequest, now: number | undefined): boolean {
    if (tried.has(target) || (now !== undefined && target.leaveAloneUntil > now)) return false;
    return this.isPanic || !this.#isHopeless(target);
  }

  #isHopeless({ consecutiveFailures, failedAt }: TargetState): boolean {
    return consecutiveFailures >= HOPELESS_AFTER && this.#options.clock.now() - failedAt < HOPELESS_FOR_MS;
  }

  /** An attempt begins; `report` is to follow. */
  begin(target: TargetState): void {
    target.begin();
    this.#ward.begin(target);
  }

  /** An attempt has ended. */
  report(
    target: TargetState,
    elapsed: number,
    outcome: Outcome,
    details: { reason: string; isRefusal: boolean },
  ): void {
    const now = this.#options.clock.now();
    target.end(now, elapsed, outcome, details.isRefusal);
    // One that left in the meantime is nobody's any more.
    if (target.isListed) this.#ward.observe(target, outcome, details.reason);
  }

  /** It is not who it is said to be, or asked to be left alone. */
  leaveAlone(target: TargetState, reason: string, forMs?: number): void {
    if (!target.isListed) return;
    if (forMs !== undefined) {
      target.leaveAloneUntil = this.#options.clock.now() + forMs;
      this.#resting.add(target);
      this.#wake();
    }
    this.#ward.eject(target, reason, forMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  #adopt(instance: ServiceInstance, joinedAt: number): TargetState {
    const key = instanceKey(instance);
    const known = this.#byKey.get(key);
    // At another address it is another process, whatever its id.
    if (known && hostAndPort(known.instance) === hostAndPort(instance)) {
      known.instance = instance;
      return known;
    }
    const target = new TargetState(instance, joinedAt, hash(key, this.#seed));
    this.#byKey.set(key, target);
    return target;
  }

  /** Who is called, and how often: everything that a pick would otherwise have to find out each time. */
  #arrange(): void {
    const now = this.#options.clock.now();
    for (const target of this.#usable) {
      const share = this.#options.slowStart ? slowStartShare(now - target.joinedAt) : 1;
      target.weight = Math.min(target.instance.weight, HEAVIEST) * share;
    }
    const wellBehaved = this.isPanic ? this.#usable : this.#usable.filter(({ ejection }) => !ejection);
    const weighty = wellBehaved.filter(({ weight }) => weight > 0);
    // Where nobody weighs anything, all weigh the same.
    if (weighty.length === 0) for (const target of wellBehaved) target.weight = 1;
    this.#active = Object.freeze(weighty.length > 0 ? weighty : wellBehaved);
    this.#whole = { targets: this.#active, upTo: WHOLE, zone: '' };
    this.#groups = this.#byZone();
  }

  #byZone(): readonly Group[] {
    const own = this.isPanic ? undefined : this.#options.zone;
    const everybody = { targets: Object.freeze(subsetOf(this.#active)), upTo: WHOLE, zone: '' };
    if (own === undefined) return [everybody];
    const zones = groupByZone(this.#active);
    const capacity = new Map([...zones].map(([zone, targets]) => [zone, sumOfWeights(targets)]));
    const callers = this.#options.callers();
    const shares = zoneShares({ own, callers, capacity, instances: this.#active.length });
    if (!shares) return [everybody];
    let upTo = 0;
    return [...shares].map(([zone, share]) => {
      upTo += share * WHOLE;
      return { targets: Object.freeze(subsetOf(zones.get(zone) ?? [])), upTo, zone };
    });
  }

  #group(): Group | undefined {
    if (this.#groups.length === 1) return this.#groups[0];
    const drawn = this.#random.next();
    return this.#groups.find(({ upTo }) => drawn < upTo) ?? this.#groups.at(-1);
  }

  #balancer(strategy: Strategy, zone: string): LoadBalancer {
    const byZone = this.#balancers.get(strategy) ?? new Map<string, LoadBalancer>();
    if (byZone.size === 0) {
      // A class that is made anew for each call is another one each time.
      if (this.#balancers.size >= MOST_STRATEGIES) this.#balancers.clear();
      this.#balancers.set(strategy, byZone);
    }
    let balancer = byZone.get(zone);
    if (!balancer) byZone.set(zone, (balancer = createBalancer(strategy, this.#options.random)));
    return balancer;
  }

  /** A strategy of the user's own may throw: that costs no call. */
  #ask(
    balancer: LoadBalancer,
    strategy: Strategy,
    targets: readonly TargetState[],
    request: PickRequest,
  ): Target | undefined {
    try {
      return balancer.pick(targets, request);
    } catch (error) {
      if (!this.#hasFailed) {
        this.#hasFailed = true;
        const name = typeof strategy === 'string' ? strategy : strategy.name;
        this.#options.emit({
          type: 'strategy.failed',
          service: this.#service,
          strategy: name,
          reason: reasonOf(error),
        });
      }
      return undefined;
    }
  }

  #anyOf(
    targets: readonly TargetState[],
    isMeant: (target: TargetState) => boolean,
  ): TargetState | undefined {
    if (targets.length === 0) return undefined;
    const start = this.#random.below(targets.length);
    for (let n = 0; n < targets.length; n++) {
      const target = targets[(start + n) % targets.length];
      if (target && isMeant(target)) return target;
    }
    return undefined;
  }

  #wake(): void {
    this.#quietTicks = 0;
    if (this.#cancelTick || this.#isClosed) return;
    this.#tickedAt = this.#options.clock.now();
    this.#cancelTick = this.#options.clock.after(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const { clock } = this.#options;
    const now = clock.now();
    const elapsed = now - this.#tickedAt;
    this.#tickedAt = now;
    for (const target of this.#usable) target.decay(now, elapsed);
    this.#lookAgain(now);
    for (const target of this.#resting)
      if (!target.isListed || target.leaveAloneUntil <= now) this.#resting.delete(target);
    const isAnybodyNew =
      this.#options.slowStart &&
      this.#usable.some(({ joinedAt }) => slowStartShare(now - joinedAt - elapsed) < 1);
    const isWaiting = this.#ward.tick(now);
    // How the callers spread over the zones changes without a word to us.
    const mayZonesHaveChanged = this.#options.zone !== undefined && ++this.#ticks % TICKS_PER_ZONES === 0;
    if (isAnybodyNew || mayZonesHaveChanged) this.#arrange();
    this.#quietTicks++;
    const isBusy =
      isWaiting ||
      isAnybodyNew ||
      this.#resting.size > 0 ||
      this.#usable.some(({ inFlight }) => inFlight > 0);
    this.#cancelTick =
      this.#isClosed || (this.#quietTicks > QUIET_TICKS && !isBusy)
        ? undefined
        : clock.after(TICK_MS, () => this.#tick());
  }

  /** Nobody finds out that a slow one is fast again unless somebody asks it. */
  #lookAgain(now: number): void {
    let looks = Math.min(MOST_LOOKS, Math.floor((this.#picks - this.#picksAtLook) / CALLS_PER_LOOK));
    if (looks === 0) return;
    const stale = this.#active
      .filter(
        ({ latency, inFlight, sampledAt }) => latency > 0 && inFlight === 0 && now - sampledAt >= STALE_MS,
      )
      .sort((a, b) => a.sampledAt - b.sampledAt);
    for (const target of stale) {
      if (looks-- <= 0) break;
      target.forgetLatency();
      this.#picksAtLook = this.#picks;
    }
  }
}

function groupByZone(targets: readonly TargetState[]): Map<string, TargetState[]> {
  const zones = new Map<string, TargetState[]>();
  for (const target of targets) {
    const zone = target.instance.zone ?? '';
    const known = zones.get(zone);
    if (known) known.push(target);
    else zones.set(zone, [target]);
  }
  return zones;
}

function sumOfWeights(targets: readonly TargetState[]): number {
  return targets.reduce((sum, { weight }) => sum + weight, 0);
}
