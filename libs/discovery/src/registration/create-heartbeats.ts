import type { Reachability } from '../registry/reachability.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import type { Clock, Random } from '../timing/clock.js';
import type { TtlCheckOptions } from './check-options.js';
import { ThreadHeartbeats } from './heartbeat.js';
import type { Heartbeats } from './heartbeats.js';
import type { HealthReport } from './health-report.js';

export interface HeartbeatsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly health: () => Promise<HealthReport>;
  readonly reachability: Reachability;
}

/** The heartbeat that a TTL check asks for; of a service without one, a heartbeat that never beats. */
export function createHeartbeats(
  registry: ServiceRegistry,
  _check: TtlCheckOptions | undefined,
  { clock, random, health, reachability }: HeartbeatsOptions,
): Heartbeats {
  return new ThreadHeartbeats(registry, {
    clock,
    random,
    report: health,
    onAnswered: () => reachability.answered(),
  });
}
