import type { Random } from '../timing/clock.js';
import type { RetrySafety } from './attempt-result.js';

export interface RetryQuestion {
  readonly retry: RetrySafety;
  readonly idempotent: boolean;
  /** False: the body of the request can be read only once. */
  readonly replayableBody: boolean;
  /** Retries that this call has made after attempts that were sent. */
  readonly retried: number;
  readonly retries: number;
}

/** Whether an attempt may be made again, as far as the request is concerned. */
export function mayRetry({ retry, idempotent, replayableBody, retried, retries }: RetryQuestion): boolean {
  if (!replayableBody || retry === 'never') return false;
  return retry === 'safe' || (idempotent && retried < retries);
}

const MIN_CEILING_MS = 25;
const MAX_CEILING_MS = 250;

/**
 * The delay before a retry, with full jitter, so that callers that failed together do not come back together. If nothing
 * was sent there is none, since another instance takes the retry.
 */
export function retryDelay(retry: RetrySafety, retried: number, random: Random): number {
  if (retry === 'safe') return 0;
  return Math.min(MAX_CEILING_MS, MIN_CEILING_MS * 2 ** retried) * random();
}
