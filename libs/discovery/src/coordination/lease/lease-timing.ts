/**
 * A holder stops by itself before the server can give its lock to another: at this share of the TTL after the last renewal
 * that succeeded was *sent*. The registry expires a session no earlier than its TTL after that renewal arrived.
 */
const HELD_SHARE = 0.8;
/** Renewals go on a fixed grid. With twelve of them in a TTL, one is sent after any outage of two thirds of it, in time to be answered. */
const RENEWALS_PER_TTL = 12;
/** A server under load answers with a longer TTL, and asks for fewer renewals; more than these are lost to one failed renewal. */
const MIN_RENEWALS_PER_TTL = 3;
/** A timer may be early by a fraction of a millisecond: the next renewal is not the one that it was set for. */
const EARLY_TIMER_MS = 2;

/** How long after the last renewal was sent the session counts as held, in milliseconds. */
export function heldForMs(ttlMs: number): number {
  return HELD_SHARE * ttlMs;
}

/** @param serverTtlMs the TTL of the last response, which may be longer than the one that was asked for */
export function renewalIntervalMs(ttlMs: number, serverTtlMs: number = ttlMs): number {
  return Math.min(Math.max(ttlMs, serverTtlMs) / RENEWALS_PER_TTL, ttlMs / MIN_RENEWALS_PER_TTL);
}

/**
 * How long until the next renewal: to the next multiple of the interval, so that all sessions of a process are renewed together.
 * After an outage they share few connections, each of which may hang until its renewal times out.
 */
export function untilNextRenewalMs(now: number, intervalMs: number): number {
  const rest = intervalMs - (now % intervalMs);
  return rest < EARLY_TIMER_MS ? rest + intervalMs : rest;
}

/**
 * How long a renewal may take at most when others have timed out, in milliseconds: where the registry is slow, only such ones succeed. It is
 * shorter than a third of the TTL.
 */
export function patientTimeoutMs(ttlMs: number): number {
  return 0.3 * ttlMs;
}
