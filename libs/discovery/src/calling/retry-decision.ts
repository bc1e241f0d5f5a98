import type { Random } from '../timing/clock.js';

export interface RetryQuestion {
  readonly failure: 'not sent' | 'sent' | 'final';
  readonly idempotent: boolean;
  /** False: its body can be read only once. */
  readonly repeatable: boolean;
  /** Retries of attempts that were sent which this call has made. */
  readonly retried: number;
  readonly retries: number;
}

/** Whether an attempt may be made again, as far as the request is concerned. */
export function mayRetry({ failure, idempotent, repeatable, retried, retries }: RetryQuestion): boolean {
  if (!repeatable || failure === 'final') return false;
  return failure === 'not sent' || (idempotent && retried < retries);
}

const SHORTEST_CEILING_MS = 25;
const LONGEST_CEILING_MS = 250;

/**
 * With full jitter: callers that failed together must not come back together. What was not sent needs no pause: it is
 * another instance that takes it.
 */
export function retryPause(failure: 'not sent' | 'sent' | 'final', retried: number, random: Random): number {
  if (failure === 'not sent') return 0;
  return Math.min(LONGEST_CEILING_MS, SHORTEST_CEILING_MS * 2 ** retried) * random();
}
