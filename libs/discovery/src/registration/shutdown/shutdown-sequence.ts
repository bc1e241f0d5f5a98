import type { LoggerService } from '@nestjs/common';
import { bounded } from '../../timing/with-timeout.js';
import { pause, type Clock } from '../../timing/clock.js';
import { scoped } from '../../timing/scoped-signal.js';
import type { ServedRequests } from './request-tracker.js';

/** All in milliseconds. */
export interface ShutdownBudget {
  /** How long callers may go on calling an app that has left the registry. */
  readonly drain: number;
  /** How long requests under way may take. */
  readonly inFlight: number;
  /** Everything together, deregistration included. */
  readonly total: number;
}

export interface ShutdownSteps {
  /** Bounded in itself, and never rejects. */
  readonly deregister: () => Promise<void>;
  /** The health endpoints answer 503 from now on. */
  readonly refuse: () => void;
  /** Undefined: the app has no HTTP server. */
  readonly requests: ServedRequests | undefined;
  /** Somebody may have been told where it is. */
  readonly isKnown: boolean;
}

/** A microservice does not tell what it is asked: so long for those who know it yet. */
const UNMEASURED_DRAIN_MS = 2_000;

/**
 * Out of the registry first, while every request is still answered; then out of use, as soon as callers have stopped;
 * and only then is anything torn down.
 */
export async function leaveInOrder(
  { deregister, refuse, requests, isKnown }: ShutdownSteps,
  budget: ShutdownBudget,
  clock: Clock,
  logger: LoggerService,
): Promise<void> {
  const until = clock.now() + budget.total;
  const within = (step: number): number => Math.max(0, Math.min(step, until - clock.now()));
  await deregister();
  refuse();
  requests?.drain();
  if (isKnown && budget.drain > 0) logger.log('draining: waiting until no more requests come');
  if (isKnown) await untilQuiet(requests, within(budget.drain), clock, logger);
  requests?.stopListening();
  if (requests && requests.underWay > 0) {
    const allowed = within(budget.inFlight);
    logger.log(`requests under way: ${requests.underWay}; waiting for them, ${allowed} ms at most`);
    await bounded(clock, allowed, requests.untilIdle(), () => new Error('too late')).catch(() => {
      logger.warn(
        `${requests.underWay} requests were still under way after ${allowed} ms: their connections are closed`,
      );
      // Nest would wait for them for ever.
      requests.closeConnections();
    });
  }
}

/** Bounded; callers that do not stop are told of. */
export async function untilQuiet(
  requests: ServedRequests | undefined,
  withinMs: number,
  clock: Clock,
  logger: LoggerService,
  signal?: AbortSignal,
): Promise<void> {
  if (withinMs === 0) return;
  await scoped(signal, (ending) => waitUntilQuiet(requests, withinMs, clock, ending)).catch(() => {
    if (!signal?.aborted)
      logger.warn(
        `requests still come ${withinMs} ms after this app left the registry: not waiting any longer`,
      );
  });
}

async function waitUntilQuiet(
  requests: ServedRequests | undefined,
  withinMs: number,
  clock: Clock,
  ending: AbortSignal,
): Promise<void> {
  if (!requests) return pause(clock, Math.min(withinMs, UNMEASURED_DRAIN_MS), ending);
  const tooLate = (): Error => new Error('too late');
  await bounded(clock, withinMs, requests.untilQuiet(ending), tooLate);
}
