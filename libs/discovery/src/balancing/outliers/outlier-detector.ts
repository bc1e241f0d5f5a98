import type { DiscoveryEvent } from '../../events/discovery-event.js';
import type { InstanceProbe } from '../../registry/instance-probe.js';
import { hostAndPort, type ServiceInstance } from '../../registry/service-instance.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';
import type { Clock, Random } from '../../timing/clock.js';
import type { CallOutcome, TrackedTarget } from '../target/tracked-target.js';
import {
  ejectionTime,
  isPanic,
  maxEjected,
  SUCCESS_RATE_INTERVAL_MS,
  successRateOutliers,
  type OutlierRules,
} from './outlier-rules.js';
import { RecoveryProbe } from './recovery-probe.js';

export interface OutlierDetectorOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: no instance is ejected. */
  readonly outlierRules: OutlierRules | undefined;
  /** Probes an instance without spending a call on it; undefined: only calls tell. */
  readonly probe: InstanceProbe | undefined;
  readonly emit: (event: DiscoveryEvent) => void;
  /** The instance was ejected: connections to it need not be kept. */
  readonly onUnused: (instance: ServiceInstance) => void;
  /** A target was ejected or unejected. */
  readonly onChange: () => void;
}

/**
 * Whether a call may be the trial call of a half-open target. `yes`: it can be retried, so that a failure is not seen by its
 * user. `if-overdue`: only if no such call came for 10 s. `no`: never.
 */
export interface TrialRequest {
  readonly tried: ReadonlySet<TrackedTarget>;
  readonly mayTry: 'yes' | 'if-overdue' | 'no';
}

/** For this time only calls that can be retried are trial calls. */
const RETRYABLE_TRIALS_ONLY_MS = 10_000;

/** Ejects targets whose calls fail, and decides when they return. Sources: Envoy's outlier detection, Finagle's failure accrual. */
export class OutlierDetector {
  readonly #service: string;
  readonly #options: OutlierDetectorOptions;
  readonly #recoveryProbe: RecoveryProbe | undefined;
  #targets: readonly TrackedTarget[] = [];
  /** Those that are ejected or half-open, of the targets and of what has been one since it was ejected. */
  #ejected: readonly TrackedTarget[] = [];
  #listed = 0;
  #comparedAt = 0;
  #isPanic = false;

  constructor(service: string, options: OutlierDetectorOptions) {
    this.#service = service;
    this.#options = options;
    this.#recoveryProbe =
      options.probe &&
      new RecoveryProbe(options.probe, (target, result) => this.#onProbeResult(target, result));
  }

  /** So few targets are available that ejected ones are used too. */
  get isPanic(): boolean {
    return this.#isPanic;
  }

  /**
   * Replaces the targets that calls may go to. Ejected ones beyond the limit for their number are unejected.
   *
   * @param listed how many instances the registry lists, for the panic threshold
   */
  setTargets(targets: readonly TrackedTarget[], listed: number): void {
    const before = new Set(this.#targets);
    const now = this.#options.clock.now();
    this.#targets = targets;
    this.#listed = listed;
    const present = new Set(targets);
    // The registry reports it healthy again: a restarted instance need not wait for the end of its ejection.
    for (const target of this.#ejected)
      if (present.has(target) && !before.has(target)) target.ejection.expire(now);
    const ejected = this.#ejected.filter((target) => present.has(target));
    for (const target of ejected.slice(0, Math.max(0, ejected.length - maxEjected(targets.length))))
      this.#uneject(target, 'too few other instances');
    this.#updatePanic();
  }

  /** The registry no longer lists the target. */
  remove(target: TrackedTarget): void {
    this.#ejected = this.#ejected.filter((other) => other !== target);
    target.ejection.activate();
  }

  /** A call to the target begins; to a half-open one it is the trial call. */
  begin(target: TrackedTarget): void {
    if (target.ejection.phase === 'half-open') target.ejection.beginTrial(this.#options.clock.now());
  }

  observe(target: TrackedTarget, outcome: CallOutcome, reason: string): void {
    const rules = this.#options.outlierRules;
    if (!rules) return;
    if (target.ejection.isTrialInFlight) {
      target.ejection.endTrial();
      if (outcome === 'success' || outcome === 'server-error') this.#uneject(target, 'trial call succeeded');
      else if (outcome === 'failure') this.#reeject(target, reason);
      return;
    }
    if (outcome !== 'failure' || !target.ejection.isActive) return;
    const { consecutiveFailures: failures } = target.history;
    // At every multiple, because all targets may have been failing at the last one, or the limit was reached.
    if (failures === 0 || failures % rules.consecutiveFailures !== 0) return;
    if (this.#areOthersFailing(target)) return;
    this.eject(target, `${failures} consecutive failures, the last one: ${reason}`);
  }

  /** @param requestedMs the duration that the instance asked for; undefined: by the rules */
  eject(target: TrackedTarget, reason: string, requestedMs?: number): void {
    const { clock, random, outlierRules: rules, emit, onUnused, onChange } = this.#options;
    if (!rules || !target.ejection.isActive || !this.#targets.includes(target)) return;
    if (this.#ejectedCount() >= maxEjected(this.#targets.length)) return;
    const now = clock.now();
    const isRequested = requestedMs !== undefined;
    if (!isRequested) target.ejection.incrementCount(now);
    const durationMs = requestedMs ?? ejectionTime(target.ejection.count, rules, random);
    const { consecutiveFailures, consecutiveRefusals } = target.history;
    const wasRefused = consecutiveRefusals > 0 && consecutiveRefusals === consecutiveFailures;
    target.ejection.eject({ since: now, until: now + durationMs, reason, isRequested, wasRefused });
    this.#ejected = [...this.#ejected, target];
    const { id, status } = target.instance;
    const scope = { service: this.#service, id, address: hostAndPort(target.instance) };
    emit({ type: 'instance.ejected', ...scope, reason, durationMs: Math.round(durationMs) });
    if (wasRefused)
      emit({ type: 'instance.ghost', ...scope, reason: `the registry reports it as ${status}` });
    this.#updatePanic();
    onUnused(target.instance);
    onChange();
  }

  /** A half-open target for which this call may be the trial call. */
  halfOpenTarget({ tried, mayTry }: TrialRequest): TrackedTarget | undefined {
    if (this.#ejected.length === 0 || mayTry === 'no') return undefined;
    const now = this.#options.clock.now();
    return this.#ejected.find((target) => {
      const { ejection } = target.ejection;
      if (!target.ejection.takesTrial(now) || tried.has(target)) return false;
      // By the registry it takes no calls now: it is critical, or in maintenance.
      if (!this.#targets.includes(target)) return false;
      return mayTry === 'yes' || now - (ejection?.until ?? now) > RETRYABLE_TRIALS_ONLY_MS;
    });
  }

  /** @returns whether there is anything to wait for */
  tick(now: number): boolean {
    const probe = this.#recoveryProbe;
    const isRefusedTurn = probe?.takeRefusedTurn(now) ?? false;
    for (const target of this.#ejected) {
      const { phase, ejection } = target.ejection;
      if (phase !== 'ejected' || !ejection) continue;
      const isOver = now >= ejection.until;
      if (isOver && ejection.isRequested) this.#uneject(target, 'the requested delay is over');
      else if (probe && (isOver || (ejection.wasRefused && isRefusedTurn))) probe.start(target);
      else if (isOver) target.ejection.halfOpen();
    }
    const refusing = probe
      ? this.#targets.filter(({ ejection, history }) => ejection.isActive && history.consecutiveRefusals > 0)
      : [];
    for (const target of refusing) probe?.start(target);
    const interval = this.#options.outlierRules?.baseEjectionMs ?? 0;
    for (const target of this.#targets) target.ejection.decayCount(now, interval);
    if (now - this.#comparedAt >= SUCCESS_RATE_INTERVAL_MS) this.#compareSuccessRates(now);
    return this.#ejected.length > 0 || refusing.length > 0;
  }

  #onProbeResult(target: TrackedTarget, result: ProbeResult): void {
    const { ejection } = target.ejection;
    const isGone = result === 'refused' || result === 'timeout';
    if (ejection && !isGone) target.ejection.halfOpen();
    else if (ejection) {
      if (this.#options.clock.now() >= ejection.until)
        this.#reeject(target, result === 'timeout' ? 'no response' : 'connection refused');
    } else if (result === 'refused') {
      target.history.probeRefused();
      this.observe(target, 'failure', 'connection refused');
    } else target.history.probeAccepted();
  }

  #ejectedCount(): number {
    return this.#targets.reduce((count, { ejection }) => count + (ejection.isActive ? 0 : 1), 0);
  }

  /** Where all targets fail, none is an outlier, and ejecting some would only overload the others. */
  #areOthersFailing(target: TrackedTarget): boolean {
    const { failingSince } = target.history;
    return !this.#targets.some((other) => other !== target && other.history.lastSuccessAt >= failingSince);
  }

  /** By an operator: it takes calls again at once. @returns whether it was ejected */
  uneject(target: TrackedTarget, reason: string): boolean {
    const isEjected = target.ejection.ejection !== undefined;
    if (isEjected) this.#uneject(target, reason);
    return isEjected;
  }

  #reeject(target: TrackedTarget, reason: string): void {
    this.remove(target);
    this.eject(target, `trial call failed: ${reason}`);
  }

  #uneject(target: TrackedTarget, reason: string): void {
    const { clock, emit, onChange } = this.#options;
    const { ejection } = target.ejection;
    this.remove(target);
    target.history.forgetFailures();
    target.latency.reset();
    if (!ejection) return;
    emit({
      type: 'instance.unejected',
      service: this.#service,
      id: target.instance.id,
      address: hostAndPort(target.instance),
      reason,
      afterMs: Math.round(clock.now() - ejection.since),
    });
    this.#updatePanic();
    onChange();
  }

  #updatePanic(): void {
    const ejected = this.#ejectedCount();
    const available = this.#targets.length - ejected;
    // Instances that the registry reports as critical are not used in a panic either.
    const isNow = ejected > 0 && isPanic(available, this.#listed);
    if (isNow === this.#isPanic) return;
    this.#isPanic = isNow;
    const counts = { service: this.#service, available, instances: this.#listed };
    this.#options.emit({ type: isNow ? 'service.panic' : 'service.panicEnded', ...counts });
  }

  #compareSuccessRates(now: number): void {
    this.#comparedAt = now;
    if (this.#options.outlierRules?.successRate) {
      const active = this.#targets.filter(({ ejection }) => ejection.isActive);
      for (const index of successRateOutliers(active.map(({ history }) => history))) {
        const target = active[index];
        if (!target) continue;
        const { calls, failures } = target.history;
        const percent = Math.round((1 - failures / calls) * 100);
        this.eject(target, `success rate of ${percent} % is far below that of the others`);
      }
    }
    for (const target of this.#targets) target.history.startInterval();
  }
}
