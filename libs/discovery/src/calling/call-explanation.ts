import type { TrackedTarget } from '../balancing/target/tracked-target.js';
import type { ExplainedInstance, ServiceExplanation } from '../catalog/explanation.js';
import type { ServiceCaller } from './service-caller.js';

/** Adds the statistics of this app's calls to an explanation. */
export function withCalls(explanation: ServiceExplanation, caller: ServiceCaller): ServiceExplanation {
  const pool = caller.find(explanation.service)?.findPool(explanation.query);
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
  { inFlight, latencyMs, successRate, weight, ejection: { ejection } }: TrackedTarget,
  now: number,
  isPanic: boolean,
): ExplainedInstance {
  const calls = { inFlight, latencyMs, successRate, weight };
  if (!ejection || isPanic || instance.state !== 'eligible') return { ...instance, calls };
  const seconds = Math.max(0, Math.round((ejection.until - now) / 1_000));
  const end = seconds > 0 ? `for ${seconds} s more` : 'until a trial call succeeds';
  return { ...instance, state: 'ejected', reason: `${ejection.reason}; no calls ${end}`, calls };
}
