import { usableInstances, type ServiceSnapshot } from '../catalog/service-snapshot.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { InstanceProbe } from '../registry/instance-probe.js';
import { hostAndPort, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import type { Clock, Random } from '../timing/clock.js';
import { IdleTicker } from '../timing/idle-ticker.js';
import { hash } from './hash.js';
import { OutlierDetector } from './outliers/outlier-detector.js';
import type { OutlierRules } from './outliers/outlier-rules.js';
import { LoadProbes } from './probes/load-probes.js';
import { needsProbes, type Strategy } from './strategies/strategies.js';
import { StrategyCache } from './strategies/strategy-cache.js';
import { FADE_MS } from './target/reported-load.js';
import { TrackedTarget, type CallOutcome } from './target/tracked-target.js';
import { TargetPicker, type PickRequest } from './target-picker.js';
import { slowStartShare } from './traffic/slow-start.js';
import { effectiveWeight, splitTraffic, type TargetGroup } from './traffic/split-traffic.js';
import { Xorshift } from './xorshift.js';

export interface PoolOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: no instance is ejected. */
  readonly outlierRules: OutlierRules | undefined;
  readonly slowStart: boolean;
  /** The caller's own zone; undefined: all zones are alike. */
  readonly zone: string | undefined;
  /** How the callers are distributed over the zones. */
  readonly callers: () => ReadonlyMap<string, number> | undefined;
  /** Asks servers for their load, for strategies that want it; undefined: only responses tell. */
  readonly loadProbes?: {
    readonly perSecond: number;
    readonly ask: (instance: ServiceInstance) => Promise<string | undefined>;
  };
  /** Probes an instance without spending a call on it; undefined: only calls tell. */
  readonly probe: InstanceProbe | undefined;
  readonly emit: (event: DiscoveryEvent) => void;
  /** The instance is removed or ejected: connections to it need not be kept. */
  readonly onUnused: (instance: ServiceInstance) => void;
}

/** Why a usable target gets no calls, apart from its own failures. */
export interface Exclusion {
  readonly state: 'zero-weight' | 'other-zone' | 'outside-subset';
  readonly reason: string;
}

const TICK_MS = 1_000;
const IDLE_TICKS = 10;
/** The distribution of the callers over the zones is read again after this many ticks. */
const TICKS_PER_ZONE_UPDATE = 10;
/** A target with a stale latency is measured again if that costs at most one call in this many. */
const CALLS_PER_REFRESH = 400;
const MAX_REFRESHES = 5;

/** The targets of one query of a service, with what this client's calls have learned about them. */
export class TargetPool {
  readonly #query: ServiceQuery | undefined;
  readonly #options: PoolOptions;
  readonly #seed: number;
  readonly #detector: OutlierDetector;
  readonly #picker: TargetPicker;
  readonly #ticker: IdleTicker;
  readonly #probes: LoadProbes | undefined;
  readonly #fading: IdleTicker;
  readonly #byKey = new Map<string, TrackedTarget>();
  #byInstance = new Map<ServiceInstance, TrackedTarget>();
  #snapshot: ServiceSnapshot | undefined;
  #usable: readonly TrackedTarget[] = [];
  #active: readonly TrackedTarget[] = [];
  #groups: readonly TargetGroup[] = [];
  #ticks = 0;
  #picksSinceRefresh = 0;

  constructor(service: string, query: ServiceQuery | undefined, options: PoolOptions) {
    const { clock, random, emit } = options;
    this.#query = query;
    this.#options = options;
    const xorshift = new Xorshift(random);
    this.#seed = Math.floor(random() * 2 ** 31);
    this.#detector = new OutlierDetector(service, { ...options, onChange: () => this.#arrange() });
    const onFailure = (strategy: string, reason: string): void =>
      emit({ type: 'strategy.failed', service, strategy, reason });
    this.#picker = new TargetPicker(
      clock,
      xorshift,
      this.#detector,
      new StrategyCache({ random, onFailure }),
    );
    this.#fading = new IdleTicker({
      ...{ clock, intervalMs: FADE_MS, idleTicks: IDLE_TICKS },
      onTick: () => {
        for (const { reported } of this.#active) reported.fade();
        return false;
      },
    });
    const { loadProbes } = options;
    this.#probes =
      loadProbes &&
      new LoadProbes({
        ...{ clock, random: xorshift, perSecond: loadProbes.perSecond },
        targets: () => this.#active,
        ask: ({ instance }) => loadProbes.ask(instance),
        onAnswer: (target, inFlight) => this.observeLoad(target, inFlight),
      });
    this.#ticker = new IdleTicker({
      clock,
      intervalMs: TICK_MS,
      idleTicks: IDLE_TICKS,
      onTick: (now, elapsedMs) => this.#onTick(now, elapsedMs),
    });
  }

  /** The targets that calls may go to: the usable ones that are not ejected (all of them in a panic), without weight 0. */
  get active(): readonly TrackedTarget[] {
    return this.#active;
  }

  /** The targets that the registry lists as usable. */
  get usable(): readonly TrackedTarget[] {
    return this.#usable;
  }

  get isPanic(): boolean {
    return this.#detector.isPanic;
  }

  /** The target of an instance. */
  find(instance: Pick<ServiceInstance, 'id' | 'node' | 'datacenter'>): TrackedTarget | undefined {
    return this.#byKey.get(instanceKey(instance));
  }

  /** Why a target that could take calls gets none; undefined: it gets its share. */
  exclusionOf(target: TrackedTarget): Exclusion | undefined {
    if (this.#active.length > 0 && !this.#active.includes(target))
      return target.ejection.isActive
        ? { state: 'zero-weight', reason: 'its weight is 0, and others have more' }
        : undefined;
    const group = this.#groups.find(({ targets }) => targets.includes(target));
    if (group) return undefined;
    const zone = target.instance.zone ?? '';
    const isInZone = this.#groups.some((each) => each.zone === undefined || each.zone === zone);
    if (!isInZone)
      return {
        state: 'other-zone',
        reason: `calls stay in the zone ${this.#options.zone ?? ''}, which has the capacity for them`,
      };
    const called = this.#groups.reduce((sum, { targets }) => sum + targets.length, 0);
    return {
      state: 'outside-subset',
      reason: `this app calls ${called} of ${this.#active.length} instances, and other apps call this one`,
    };
  }

  /** Replaces the list; does nothing when it is the same one. */
  update(snapshot: ServiceSnapshot): void {
    if (snapshot === this.#snapshot) return;
    const now = this.#options.clock.now();
    const isFirst = this.#snapshot === undefined;
    const next = new Map<ServiceInstance, TrackedTarget>();
    for (const instance of snapshot.instances) {
      const target = this.#byInstance.get(instance) ?? this.#adopt(instance, isFirst ? -Infinity : now);
      this.#byInstance.delete(instance);
      next.set(instance, target);
    }
    const kept = new Set(next.values());
    for (const [instance, target] of this.#byInstance) if (!kept.has(target)) this.#remove(instance, target);
    this.#byInstance = next;
    this.#snapshot = snapshot;
    this.#usable = Object.freeze(
      usableInstances(snapshot, this.#query).flatMap((instance) => next.get(instance) ?? []),
    );
    const listed = snapshot.instances.filter(({ status }) => status !== 'maintenance').length;
    this.#detector.setTargets(this.#usable, listed);
    this.#arrange();
    this.#ticker.wake();
  }

  /** @returns undefined when there is no target, or the call has been to all of them */
  pick(strategy: Strategy, request: PickRequest): TrackedTarget | undefined {
    this.#picksSinceRefresh++;
    if (needsProbes(strategy)) this.#probes?.wake();
    this.#ticker.wake();
    return this.#picker.pick(strategy, request);
  }

  /** An attempt begins; `report` has to follow. */
  begin(target: TrackedTarget): void {
    target.begin();
    this.#detector.begin(target);
  }

  /** A response is still being read: it is load for the target until the returned function is called. */
  hold(target: TrackedTarget): () => void {
    target.inFlight++;
    let isHeld = true;
    return () => {
      if (isHeld) target.inFlight--;
      isHeld = false;
    };
  }

  /** An attempt has ended. */
  report(
    target: TrackedTarget,
    elapsedMs: number,
    outcome: CallOutcome,
    details: { readonly reason: string; readonly isRefusal: boolean },
  ): void {
    const counted = target.end(this.#options.clock.now(), elapsedMs, outcome, details.isRefusal);
    // The target may have been removed while the attempt ran.
    if (target.isListed) this.#detector.observe(target, counted, details.reason);
  }

  /** A response told how many calls its server has. */
  observeLoad(target: TrackedTarget, inFlight: number): void {
    // One that fails has nothing to do.
    if (target.history.consecutiveFailures > 0) return;
    target.reported.observe(this.#options.clock.now(), inFlight, target.inFlight);
    this.#fading.wake();
  }

  /**
   * Stops calls to a target, for a reason other than failures.
   *
   * @param requestedMs the duration that the instance asked for; undefined: by the rules of ejection
   */
  backOff(target: TrackedTarget, reason: string, requestedMs?: number): void {
    if (!target.isListed) return;
    if (requestedMs !== undefined) {
      target.backOffUntil = this.#options.clock.now() + requestedMs;
      this.#ticker.wake();
    }
    this.#detector.eject(target, reason, requestedMs);
  }

  /** @returns whether one of this id was ejected, and takes calls again */
  uneject(id: string, reason: string): boolean {
    const target = this.#usable.find(({ instance }) => instance.id === id);
    if (!target || !this.#detector.uneject(target, reason)) return false;
    target.backOffUntil = -Infinity;
    return true;
  }

  close(): void {
    this.#ticker.close();
    this.#probes?.close();
    this.#fading.close();
  }

  #adopt(instance: ServiceInstance, joinedAt: number): TrackedTarget {
    const key = instanceKey(instance);
    const known = this.#byKey.get(key);
    // Another address means another process, even under the same id.
    if (known && hostAndPort(known.instance) === hostAndPort(instance)) {
      known.instance = instance;
      return known;
    }
    const target = new TrackedTarget(instance, joinedAt, hash(key, this.#seed));
    this.#byKey.set(key, target);
    return target;
  }

  #remove(instance: ServiceInstance, target: TrackedTarget): void {
    target.isListed = false;
    this.#detector.remove(target);
    const key = instanceKey(instance);
    if (this.#byKey.get(key) === target) this.#byKey.delete(key);
    this.#options.onUnused(instance);
  }

  /** Computes in advance what each pick would otherwise have to find out: the weights, and how the traffic is split. */
  #arrange(): void {
    const { clock, slowStart, zone, callers } = this.#options;
    const now = clock.now();
    for (const target of this.#usable) target.weight = effectiveWeight(target, now, slowStart);
    const available = this.isPanic ? this.#usable : this.#usable.filter(({ ejection }) => ejection.isActive);
    const weighted = available.filter(({ weight }) => weight > 0);
    // Where all weights are 0, all targets are equal.
    if (weighted.length === 0) for (const target of available) target.weight = 1;
    this.#active = Object.freeze(weighted.length > 0 ? weighted : available);
    const own = this.isPanic ? undefined : zone;
    const groups = splitTraffic(this.#active, {
      zone: own,
      callers: own === undefined ? undefined : callers(),
    });
    this.#groups = groups;
    this.#picker.setTargets({ usable: this.#usable, active: this.#active, groups });
  }

  /** @returns whether there is something to wait for */
  #onTick(now: number, elapsedMs: number): boolean {
    for (const { latency, reported } of this.#usable) {
      latency.decay(now, elapsedMs);
      reported.expire(now);
    }
    this.#refreshStale(now);
    const isInSlowStart =
      this.#options.slowStart &&
      this.#usable.some(({ joinedAt }) => slowStartShare(now - joinedAt - elapsedMs) < 1);
    const isWaiting = this.#detector.tick(now);
    const isZoneUpdate = this.#options.zone !== undefined && ++this.#ticks % TICKS_PER_ZONE_UPDATE === 0;
    if (isInSlowStart || isZoneUpdate) this.#arrange();
    return isWaiting || isInSlowStart || this.#usable.some(({ inFlight }) => inFlight > 0);
  }

  /** Forgets stale latencies: without calls to it, the recovery of a slow target would never be noticed. */
  #refreshStale(now: number): void {
    const allowed = Math.min(MAX_REFRESHES, Math.floor(this.#picksSinceRefresh / CALLS_PER_REFRESH));
    if (allowed === 0) return;
    const stale = this.#active
      .filter(({ latency, inFlight }) => inFlight === 0 && latency.isStale(now))
      .sort((a, b) => a.latency.sampledAt - b.latency.sampledAt)
      .slice(0, allowed);
    if (stale.length > 0) this.#picksSinceRefresh = 0;
    for (const target of stale) target.latency.reset();
  }
}
