import type { LoggerService } from '@nestjs/common';
import { toMilliseconds } from '../../configuration/duration.js';
import type { Reachability } from '../../registry/reconnect-signal.js';
import type { ServiceRegistry } from '../../registry/service-registry.js';
import type { Clock, Random } from '../../timing/clock.js';
import type { TtlCheckOptions } from '../options/check-options.js';
import { ThreadHeartbeats } from './heartbeat.js';
import type { Heartbeats } from './heartbeats.js';
import type { HealthReport } from './health-report.js';
import { WorkerHeartbeats } from './worker-heartbeats.js';

export interface HeartbeatsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly health: () => Promise<HealthReport>;
  readonly reachability: Reachability;
  readonly logger: LoggerService;
}

/** The heartbeat that a TTL check asks for; of a service without one, a heartbeat that never beats. */
export function createHeartbeats(
  registry: ServiceRegistry,
  check: TtlCheckOptions | undefined,
  { clock, random, health, reachability, logger }: HeartbeatsOptions,
): Heartbeats {
  const onAnswered = (): void => reachability.answered();
  const inThread = new ThreadHeartbeats(registry, { clock, random, report: health, onAnswered });
  if (check?.heartbeat !== 'worker') return inThread;
  const source = registry.workerReporter();
  if (!source) {
    logger.warn(
      `${registry.description} cannot be told from a worker thread: the heartbeat runs in the app's own`,
    );
    return inThread;
  }
  const vouchForMs = toMilliseconds(check.vouchFor ?? '60s', 'service.check.vouchFor');
  return new WorkerHeartbeats({
    clock,
    report: health,
    source,
    vouchForMs,
    onAnswered,
    logger,
    fallback: inThread,
  });
}
