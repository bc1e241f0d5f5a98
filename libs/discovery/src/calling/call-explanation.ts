import type { ReportedLoad } from '../balancing/target/reported-load.js';
import type { TargetPool } from '../balancing/target-pool.js';
import type { ExplainedInstance, ServiceExplanation } from '../catalog/explanation.js';
import type { ServiceCaller } from './service-caller.js';

/** Adds what this app's calls know to an explanation: statistics, ejections, and what keeps calls from an instance. */
export function withCalls(
  explanation: ServiceExplanation,
  caller: ServiceCaller,
  known = caller.explain(explanation.service, explanation.query),
): ServiceExplanation {
  if (!known) return explanation;
  const now = caller.now();
  return {
    ...explanation,
    instances: explanation.instances.map((instance) => withTarget(instance, known.pool, now)),
    ...(known.limits ? { limits: known.limits } : {}),
  };
}

function withTarget(instance: ExplainedInstance, pool: TargetPool, now: number): ExplainedInstance {
  const target = pool.find(instance);
  if (!target) return instance;
  const { inFlight, latencyMs, successRate, weight, ejection, reported } = target;
  const explained = {
    ...instance,
    calls: {
      inFlight,
      latencyMs: rounded(latencyMs),
      successRate: rounded(successRate),
      weight: rounded(weight),
      ...(reported.isKnown ? { reported: reportedLoad(reported, now) } : {}),
    },
  };
  if (instance.state !== 'eligible') return explained;
  if (ejection.ejection && !pool.isPanic) {
    const { reason, until } = ejection.ejection;
    const seconds = Math.max(0, Math.round((until - now) / 1_000));
    const end = seconds > 0 ? `for ${seconds} s more` : 'until a trial call succeeds';
    return { ...explained, state: 'ejected', reason: `${reason}; no calls ${end}` };
  }
  return { ...explained, ...pool.exclusionOf(target) };
}

function reportedLoad({ inFlight, averageInFlight, at }: ReportedLoad, now: number) {
  return { inFlight, averageInFlight: rounded(averageInFlight), ageMs: Math.round(now - at) };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
