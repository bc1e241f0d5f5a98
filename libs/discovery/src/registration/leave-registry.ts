import { isRetryable } from '../errors/discovery-error.js';
import type { ServiceRegistration } from '../registry/service-registration.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import { backoffDelay } from '../timing/backoff.js';
import { delay, type Clock, type Random } from '../timing/clock.js';

export interface LeaveOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly registry: ServiceRegistry;
  readonly registration: Pick<ServiceRegistration, 'id' | 'service'>;
  /** Resolves when the registration loop has ended, whose last request must not arrive after the deregistration. */
  readonly loopEnded: Promise<void>;
  /** Resolves when no heartbeat is in flight; a late one is harmless. */
  readonly heartbeatsStopped: Promise<void>;
  /** Aborts a request to register that is in flight. */
  readonly abortRegister: () => void;
  /** Whether the registry may hold the registration. */
  readonly maybeRegistered: () => boolean;
  /** An attempt failed, and another one follows. */
  readonly onRetry: (error: unknown) => void;
}

/** How long a request to register that is in flight may take to complete: once sent it cannot be revoked. */
const REGISTER_IN_FLIGHT_MS = 1_500;
const BACKOFF = { base: 200, cap: 500 };

/**
 * Deregisters an instance, with retries.
 *
 * @throws DiscoveryError when the registry is unreachable or refuses, and the signal's reason when it aborts
 */
export async function leaveRegistry(options: LeaveOptions, signal: AbortSignal): Promise<void> {
  const { clock, loopEnded, heartbeatsStopped, abortRegister, maybeRegistered } = options;
  const timer = new AbortController();
  const inFlight = delay(clock, REGISTER_IN_FLIGHT_MS, timer.signal).catch(() => undefined);
  await Promise.race([loopEnded, inFlight]);
  timer.abort();
  abortRegister();
  await loopEnded;
  if (maybeRegistered()) await deregister(options, signal);
  await heartbeatsStopped;
}

async function deregister(
  { clock, random, registry, registration, onRetry }: LeaveOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 1; ; failures++) {
    try {
      await registry.deregister(registration, signal);
      return;
    } catch (error) {
      // An agent that refuses connections may be restarting, and comes back with what it had.
      if (signal.aborted || !isRetryable(error)) throw error;
      onRetry(error);
      await delay(clock, backoffDelay(failures, BACKOFF, random), signal);
    }
  }
}
