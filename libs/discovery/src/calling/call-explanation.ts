import type { TargetState } from '../balancing/target/tracked-target.js';
import type { ExplainedInstance, ServiceExplanation } from '../catalog/explanation.js';
import type { ServiceCaller } from './service-caller.js';

/** Adds what this app's calls have seen to what the registry says. */
export function withCalls(explanation: ServiceExplanation, caller: ServiceCaller): ServiceExplanation {
  const pool = caller.find(explanation.service)?.poolOf(explanation.query);
  if (!pool) return explanation;
  const now = caller.now();
  return {
    ...explanation,
    instances: explanation.instances.map((instance) => {
      const target = pool.find(instance);
      return target ? withTarget(instance, target, now, pool.isPanic) : instance;
    }),
  };
}

function withTarget(
  instance: ExplainedInstance,
  { inFlight, latency, successRate, weight, ejection }: TargetState,
  now: number,
  isPanic: boolean,
): ExplainedInstance {
  const calls = { inFlight, latency, successRate, weight };
  if (!ejection || isPanic || instance.verdict !== 'used') return { ...instance, calls };
  const left = Math.max(0, Math.round((ejection.until - now) / 1_000));
  const rest = left > 0 ? `for ${left} s more` : 'until one call proves it well';
  return { ...instance, verdict: 'ejected', why: `${ejection.reason}; no calls ${rest}`, calls };
}
