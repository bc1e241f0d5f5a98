import type { LoggerService } from '@nestjs/common';
import { toMilliseconds } from '../../configuration/duration.js';
import type { ReconnectSignal } from '../../registry/reconnect-signal.js';
import type { ServiceRegistry } from '../../registry/service-registry.js';
import type { Clock, Random } from '../../timing/clock.js';
import type { TtlCheckOptions } from '../options/check-options.js';
import type { HealthReport } from './health-report.js';
import { MainThreadHeartbeats } from './heartbeat.js';
import type { Heartbeats } from './heartbeats.js';
import { WorkerHeartbeats } from './worker-heartbeats.js';

export interface HeartbeatsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly health: () => Promise<HealthReport>;
  readonly reconnectSignal: ReconnectSignal;
  readonly logger: LoggerService;
}

/** The heartbeats for a TTL check; without a TTL check they send nothing. */
export function createHeartbeats(
  registry: ServiceRegistry,
  check: TtlCheckOptions | undefined,
  { clock, random, health, reconnectSignal, logger }: HeartbeatsOptions,
): Heartbeats {
  const onRecovered = (): void => reconnectSignal.reconnected();
  const inMainThread = new MainThreadHeartbeats(registry, { clock, random, report: health, onRecovered });
  if (check?.heartbeat !== 'worker-thread') return inMainThread;
  const source = registry.workerReporter();
  if (!source) {
    logger.warn(
      `${registry.description} does not support heartbeats from a worker thread: they run in the main thread`,
    );
    return inMainThread;
  }
  return new WorkerHeartbeats({
    clock,
    report: health,
    source,
    maxStallMs: toMilliseconds(check.maxStall ?? '60s', 'service.check.maxStall'),
    onRecovered,
    logger,
    fallback: inMainThread,
  });
}
