import type { Clock } from '../timing/clock.js';
import type { PickContext } from './load-balancer.js';
import type { OutlierDetector, TrialRequest } from './outliers/outlier-detector.js';
import { needsWholeService, type Strategy } from './strategies/strategies.js';
import type { StrategyCache } from './strategies/strategy-cache.js';
import { TrackedTarget } from './target/tracked-target.js';
import { wholeGroup, type TargetGroup } from './traffic/split-traffic.js';
import type { Xorshift } from './xorshift.js';

/** `tried`: the targets that this call has been to. */
export interface PickRequest extends PickContext, TrialRequest {}

/** The targets to pick from. */
export interface PickableTargets {
  /** All that the registry lists as usable. */
  readonly usable: readonly TrackedTarget[];
  /** The usable targets that are not ejected (all of them in a panic), without weight 0. */
  readonly active: readonly TrackedTarget[];
  /** The active targets by their share of the traffic. */
  readonly groups: readonly TargetGroup[];
}

/** How often a strategy is asked again when it picks a target that this call cannot use. */
const MAX_PICKS = 4;
/**
 * Targets with this many consecutive failures, the last one within a second, are used only as a last resort and never for
 * retries. Not all of them may be ejected; once a second one call finds out whether they have recovered.
 */
const FAILING_AFTER = 5;
const FAILING_FOR_MS = 1_000;

/** Picks the target of each attempt: by the strategy among the targets that can be used, or else any that can. */
export class TargetPicker {
  readonly #clock: Clock;
  readonly #random: Xorshift;
  readonly #detector: OutlierDetector;
  readonly #strategies: StrategyCache;
  #targets: PickableTargets = { usable: [], active: [], groups: [] };
  /** For strategies whose keys belong to targets of the whole service. */
  #whole: TargetGroup = wholeGroup([]);

  constructor(clock: Clock, random: Xorshift, detector: OutlierDetector, strategies: StrategyCache) {
    this.#clock = clock;
    this.#random = random;
    this.#detector = detector;
    this.#strategies = strategies;
  }

  setTargets(targets: PickableTargets): void {
    this.#targets = targets;
    this.#whole = wholeGroup(targets.active);
  }

  /** @returns undefined when there is no target, or the call has been to all of them */
  pick(strategy: Strategy, request: PickRequest): TrackedTarget | undefined {
    return (
      this.#detector.halfOpenTarget(request) ??
      this.#byStrategy(strategy, request) ??
      this.#anyOf(this.#targets.active, (target) => this.#isPreferred(target, request)) ??
      this.#lastResort(request)
    );
  }

  #byStrategy(strategy: Strategy, request: PickRequest): TrackedTarget | undefined {
    const group = needsWholeService(strategy) ? this.#whole : this.#group();
    if (!group || group.targets.length === 0) return undefined;
    const zone = group.zone ?? '';
    // Retries have a balancer of their own: one that took a turn would shift the turns of first attempts.
    const isRetry = request.attempt > 0 && !needsWholeService(strategy);
    const balancer = this.#strategies.get(strategy, isRetry ? `${zone} retries` : zone);
    if (!balancer) return undefined;
    for (let n = 0; n < MAX_PICKS; n++) {
      const picked = this.#strategies.pick(balancer, strategy, group.targets, request);
      if (!(picked instanceof TrackedTarget) || !isOffered(picked, strategy, group.targets)) continue;
      if (this.#isPreferred(picked, request)) return picked;
    }
    return undefined;
  }

  /** A first attempt has to go somewhere; a retry does not. */
  #lastResort({ tried, attempt }: PickRequest): TrackedTarget | undefined {
    const isLeft = (target: TrackedTarget): boolean =>
      !tried.has(target) && (attempt === 0 || !this.#isFailingNow(target));
    return this.#anyOf(this.#targets.active, isLeft) ?? this.#anyOf(this.#targets.usable, isLeft);
  }

  /** Not tried by this call, not backing off, and not failing now even if it could not be ejected. */
  #isPreferred(target: TrackedTarget, { tried }: PickRequest): boolean {
    if (tried.has(target) || this.#isBackingOff(target)) return false;
    return this.#detector.isPanic || !this.#isFailingNow(target);
  }

  #isBackingOff({ backOffUntil }: TrackedTarget): boolean {
    return backOffUntil > -Infinity && backOffUntil > this.#clock.now();
  }

  #isFailingNow({ history }: TrackedTarget): boolean {
    return (
      history.consecutiveFailures >= FAILING_AFTER &&
      this.#clock.now() - history.lastFailureAt < FAILING_FOR_MS
    );
  }

  #group(): TargetGroup | undefined {
    const { groups } = this.#targets;
    if (groups.length === 1) return groups[0];
    const drawn = this.#random.next();
    return groups.find(({ upTo }) => drawn < upTo) ?? groups.at(-1);
  }

  #anyOf(
    targets: readonly TrackedTarget[],
    matches: (target: TrackedTarget) => boolean,
  ): TrackedTarget | undefined {
    if (targets.length === 0) return undefined;
    const start = this.#random.below(targets.length);
    for (let n = 0; n < targets.length; n++) {
      const target = targets[(start + n) % targets.length];
      if (target && matches(target)) return target;
    }
    return undefined;
  }
}

/** A strategy of the user may have kept a target of before, which may be ejected or in maintenance by now. */
function isOffered(picked: TrackedTarget, strategy: Strategy, targets: readonly TrackedTarget[]): boolean {
  return picked.isListed && (typeof strategy === 'string' || targets.includes(picked));
}
