import type { InstanceProbe } from '../../registry/instance-probe.js';
import type { Sighting } from '../../catalog/protection/protection-rules.js';
import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { hostAndPort, type ServiceInstance } from '../../registry/service-instance.js';
import type { Clock, Random } from '../../timing/clock.js';
import {
  ejectionTime,
  isPanic,
  mostEjected,
  SUCCESS_RATE_INTERVAL_MS,
  successRateOutliers,
  type EjectionRules,
} from './outlier-rules.js';
import type { Outcome, TargetState } from '../target/tracked-target.js';

export interface WardOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: nobody is ejected. */
  readonly ejection: EjectionRules | undefined;
  /** Looks at an instance itself, so that no call is spent on who refuses connections. */
  readonly probe: InstanceProbe | undefined;
  readonly emit: (event: DiscoveryEvent) => void;
  readonly onUnused: (instance: ServiceInstance) => void;
  /** Somebody was ejected, or is back. */
  readonly onChange: () => void;
}

/** A call that may take somebody back who has to prove himself. */
export interface ProbationRequest {
  readonly tried: ReadonlySet<TargetState>;
  readonly proves: 'at once' | 'when overdue' | 'never';
}

/** For how long only calls that may be repeated are sent to who has to prove himself. */
const SAFE_ONLY_MS = 10_000;
/** Who refused connections is looked at so often: a restarted one is back long before its time is over. */
const LOOK_AGAIN_MS = 5_000;

/** Who gets no calls for a while, and how he comes back. */
export class EjectionWard {
  readonly #service: string;
  readonly #options: WardOptions;
  #all: readonly TargetState[] = [];
  #listed = 0;
  readonly #lookedAt = new Set<TargetState>();
  readonly #ejected = new Set<TargetState>();
  /** Their time is over; one call decides. */
  readonly #onProbation = new Set<TargetState>();
  #comparedAt = 0;
  #lookedAgainAt = 0;
  #isPanic = false;

  constructor(service: string, options: WardOptions) {
    this.#service = service;
    this.#options = options;
  }

  /** So few are left that leaving out the ejected would bring down the rest. */
  get isPanic(): boolean {
    return this.#isPanic;
  }

  /** Those that calls may go to from now on, of so many that are listed. Never are more of them out than may be. */
  admit(targets: readonly TargetState[], listed: number): void {
    const before = new Set(this.#all);
    const now = this.#options.clock.now();
    this.#all = targets;
    this.#listed = listed;
    const present = new Set(targets);
    // The registry found it well anew: a restarted one need not wait for the end of its time.
    for (const target of this.#ejected)
      if (present.has(target) && !before.has(target) && target.ejection)
        target.ejection = { ...target.ejection, until: now };
    const out = [...this.#ejected].filter((target) => present.has(target));
    for (const target of out.slice(0, Math.max(0, out.length - mostEjected(targets.length))))
      this.#release(target, 'too few others are left');
    this.#judgePanic();
  }

  /** It has left. */
  discharge(target: TargetState): void {
    this.#ejected.delete(target);
    this.#onProbation.delete(target);
    target.ejection = undefined;
  }

  begin(target: TargetState): void {
    if (this.#onProbation.has(target)) target.isProbed = true;
  }

  observe(target: TargetState, outcome: Outcome, reason: string): void {
    const rules = this.#options.ejection;
    if (!rules) return;
    if (target.isProbed) {
      target.isProbed = false;
      if (outcome === 'success') this.#release(target, 'it answers again');
      else if (outcome === 'failure') this.#renew(target, reason);
      return;
    }
    if (outcome !== 'failure' || target.ejection) return;
    const { consecutiveFailures: failures } = target;
    // Again after as many more: until then nobody else may have succeeded, or too many were out.
    if (failures === 0 || failures % rules.consecutiveFailures !== 0) return;
    if (this.#isAlone(target)) return;
    this.eject(target, `${failures} calls failed in a row, the last one with ${reason}`);
  }

  /** @param forMs it asked for so long itself; undefined: by the rules */
  eject(target: TargetState, reason: string, forMs?: number): void {
    const { clock, random, ejection: rules, emit, onUnused, onChange } = this.#options;
    if (!rules || target.ejection || !this.#all.includes(target)) return;
    if (this.#outNow() >= mostEjected(this.#all.length)) return;
    const now = clock.now();
    const wasAsked = forMs !== undefined;
    if (!wasAsked) {
      target.ejections++;
      target.ejectionsChangedAt = now;
    }
    const lasts = forMs ?? ejectionTime(target.ejections, rules, random);
    const { consecutiveFailures, consecutiveRefusals } = target;
    const wasRefused = consecutiveRefusals > 0 && consecutiveRefusals === consecutiveFailures;
    target.ejection = { at: now, until: now + lasts, reason, wasAsked, wasRefused };
    this.#ejected.add(target);
    const { id, status } = target.instance;
    const told = { service: this.#service, id, address: hostAndPort(target.instance) };
    emit({ type: 'instance.ejected', ...told, reason, for: Math.round(lasts) });
    if (wasRefused)
      emit({
        type: 'instance.ghost',
        ...told,
        reason: `the registry calls it ${status}, and nobody is there`,
      });
    this.#judgePanic();
    onUnused(target.instance);
    onChange();
  }

  /** Somebody whom this call may prove well. */
  onProbation({ tried, proves }: ProbationRequest): TargetState | undefined {
    if (this.#onProbation.size === 0) return undefined;
    const now = this.#options.clock.now();
    for (const target of this.#onProbation) {
      const isOverdue = now - (target.ejection?.until ?? now) > SAFE_ONLY_MS;
      if (target.isProbed || tried.has(target) || !(proves === 'at once' || isOverdue)) continue;
      return target;
    }
    return undefined;
  }

  /** @returns whether there is anything to wait for */
  tick(now: number): boolean {
    const { probe } = this.#options;
    const mayLookAgain = now - this.#lookedAgainAt >= LOOK_AGAIN_MS;
    if (mayLookAgain) this.#lookedAgainAt = now;
    for (const target of this.#ejected) {
      const { ejection } = target;
      if (!ejection || this.#onProbation.has(target)) continue;
      const isOver = now >= ejection.until;
      if (isOver && ejection.wasAsked) this.#release(target, 'the pause that it asked for is over');
      else if (probe && (isOver || (ejection.wasRefused && mayLookAgain))) this.#look(target, probe);
      else if (isOver) this.#onProbation.add(target);
    }
    const refusing = probe
      ? this.#all.filter(({ ejection, consecutiveRefusals }) => !ejection && consecutiveRefusals > 0)
      : [];
    for (const target of refusing) if (probe) this.#look(target, probe);
    this.#forgive(now);
    if (now - this.#comparedAt >= SUCCESS_RATE_INTERVAL_MS) this.#compare(now);
    return this.#ejected.size > 0 || refusing.length > 0;
  }

  #look(target: TargetState, probe: InstanceProbe): void {
    if (this.#lookedAt.has(target)) return;
    this.#lookedAt.add(target);
    probe(target.instance)
      .catch(() => 'unknown' as const)
      .then((sighting) => {
        this.#lookedAt.delete(target);
        if (target.isListed) this.#saw(target, sighting);
      })
      .catch(() => undefined);
  }

  #saw(target: TargetState, sighting: Sighting): void {
    const { ejection } = target;
    const isGone = sighting === 'refuses' || sighting === 'silent';
    if (ejection && !isGone) this.#onProbation.add(target);
    else if (ejection) {
      if (this.#options.clock.now() >= ejection.until)
        this.#renew(target, sighting === 'silent' ? 'it is silent' : 'it refuses connections');
    } else if (sighting === 'refuses') this.#refused(target);
    else target.consecutiveRefusals = 0;
  }

  /** A connection of our own was refused, as a call's was. */
  #refused(target: TargetState): void {
    target.consecutiveFailures++;
    target.consecutiveRefusals++;
    this.observe(target, 'failure', 'a refused connection');
  }

  #outNow(): number {
    return this.#all.reduce((count, { ejection }) => count + (ejection ? 1 : 0), 0);
  }

  /** Where everybody fails nobody is an outlier, and leaving some out would only overload the others. */
  #isAlone(target: TargetState): boolean {
    return !this.#all.some((other) => other !== target && other.lastSuccessAt >= target.failingSince);
  }

  #renew(target: TargetState, reason: string): void {
    this.discharge(target);
    this.eject(target, `the call that was to prove it well failed: ${reason}`);
  }

  #release(target: TargetState, reason: string): void {
    const { clock, emit, onChange } = this.#options;
    const { ejection } = target;
    this.discharge(target);
    target.isProbed = false;
    target.forgetFailures();
    target.forgetLatency();
    if (!ejection) return;
    emit({
      type: 'instance.returned',
      service: this.#service,
      id: target.instance.id,
      address: hostAndPort(target.instance),
      reason,
      after: Math.round(clock.now() - ejection.at),
    });
    this.#judgePanic();
    onChange();
  }

  #judgePanic(): void {
    const available = this.#all.length - this.#outNow();
    const is = isPanic(available, this.#listed);
    if (is === this.#isPanic) return;
    this.#isPanic = is;
    const told = { service: this.#service, available, instances: this.#listed };
    this.#options.emit({ type: is ? 'service.panic' : 'service.calm', ...told });
  }

  /** As long as it was out at first it has to behave, for each time that it was out. */
  #forgive(now: number): void {
    const base = this.#options.ejection?.baseMs ?? 0;
    for (const target of this.#all) {
      if (target.ejections === 0 || target.ejection || now - target.ejectionsChangedAt < base) continue;
      target.ejections--;
      target.ejectionsChangedAt = now;
    }
  }

  #compare(now: number): void {
    this.#comparedAt = now;
    const rules = this.#options.ejection;
    if (rules?.successRate) {
      const present = this.#all.filter(({ ejection }) => !ejection);
      for (const at of successRateOutliers(present)) {
        const target = present[at];
        const percent = target ? Math.round((1 - target.failures / target.calls) * 100) : 0;
        if (target)
          this.eject(target, `only ${percent} % of its calls succeeded, far fewer than those of the others`);
      }
    }
    for (const target of this.#all) {
      target.calls = 0;
      target.failures = 0;
    }
  }
}
