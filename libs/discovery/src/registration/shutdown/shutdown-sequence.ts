import type { LoggerService } from '@nestjs/common';
import { delay, type Clock } from '../../timing/clock.js';
import { withScopedSignal } from '../../timing/scoped-signal.js';
import { withTimeout } from '../../timing/with-timeout.js';
import type { RequestTracker } from './request-tracker.js';

export interface ShutdownBudget {
  /** How long callers may go on calling after the deregistration. */
  readonly drainMs: number;
  /** How long requests in flight may take after that. */
  readonly inFlightMs: number;
  /** All steps together, the deregistration included. */
  readonly totalMs: number;
  /** The next process needs the port: it is not kept until callers have stopped. */
  readonly releasePortFirst: boolean;
}

export interface ShutdownSteps {
  /** Bounded by itself, and never rejects. */
  readonly deregister: () => Promise<void>;
  /** From now on the health endpoints respond with 503. */
  readonly markNotReady: () => void;
  /** Undefined: the app has no HTTP server. */
  readonly requests: RequestTracker | undefined;
  /** Clients may know the instance. */
  readonly isKnown: boolean;
}

/** For a microservice, whose requests are not tracked. */
const UNTRACKED_DRAIN_MS = 2_000;

/**
 * Shuts down in order: deregisters while every request is still answered, drains until callers have stopped, waits for
 * requests in flight, and only then lets anything be torn down.
 */
export async function runShutdown(
  { deregister, markNotReady, requests, isKnown }: ShutdownSteps,
  budget: ShutdownBudget,
  clock: Clock,
  logger: LoggerService,
): Promise<void> {
  const endsAt = clock.now() + budget.totalMs;
  const within = (stepMs: number): number => Math.max(0, Math.min(stepMs, endsAt - clock.now()));
  if (budget.releasePortFirst) {
    logger.log('shutting down quickly, since this process is restarted when a file changes');
    requests?.stopListening();
  }
  await deregister();
  markNotReady();
  requests?.drain();
  if (isKnown && budget.drainMs > 0) logger.log('draining: waiting until no more requests arrive');
  if (isKnown) await drain(requests, within(budget.drainMs), clock, logger);
  requests?.stopListening();
  if (!requests) return;
  if (requests.inFlight > 0) await finishRequests(requests, within(budget.inFlightMs), clock, logger);
  requests.closeRemaining(within(budget.inFlightMs), logger);
}

/** Waits until no more requests arrive, for a limited time. */
export async function drain(
  requests: RequestTracker | undefined,
  drainMs: number,
  clock: Clock,
  logger: LoggerService,
  signal?: AbortSignal,
): Promise<void> {
  if (drainMs === 0) return;
  await withScopedSignal(signal, (draining) => waitUntilQuiet(requests, drainMs, clock, draining)).catch(
    () => {
      if (!signal?.aborted)
        logger.warn(`requests still arrive ${drainMs} ms after deregistration: no longer waiting`);
    },
  );
}

async function waitUntilQuiet(
  requests: RequestTracker | undefined,
  drainMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (!requests) return delay(clock, Math.min(drainMs, UNTRACKED_DRAIN_MS), signal);
  await withTimeout(clock, drainMs, requests.untilQuiet(signal), () => new Error('timed out'));
}

async function finishRequests(
  requests: RequestTracker,
  inFlightMs: number,
  clock: Clock,
  logger: LoggerService,
): Promise<void> {
  logger.log(`waiting up to ${inFlightMs} ms for requests in flight: ${requests.inFlight}`);
  const idle = requests.untilIdle();
  await withTimeout(clock, inFlightMs, idle, () => new Error('timed out')).catch(() => {
    logger.warn(
      `${requests.inFlight} requests still in flight after ${inFlightMs} ms: closing their connections`,
    );
    // Nest would wait for them without limit.
    requests.destroyConnections();
  });
}
