import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadResult {
  calls: number;
  failed: number;
  /** Instances that answered, and how often. */
  answeredBy: Map<string, number>;
  /** The first failure's text. */
  firstFailure: string | undefined;
}

const CALLERS = 8;
const PAUSE_MS = 10;
const CALL_TIMEOUT_MS = 15_000;

/** Calls the storefront with a few concurrent callers while `act` runs, and a little longer. */
export async function underLoad(storefront: string, act: () => Promise<void>): Promise<LoadResult> {
  const result: LoadResult = { calls: 0, failed: 0, answeredBy: new Map(), firstFailure: undefined };
  let going = true;
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let n = caller; going; n++) {
      await callOnce(`${storefront}/books/${1 + (n % 200)}`, result);
      await sleep(PAUSE_MS);
    }
  });
  try {
    await sleep(300);
    await act();
    await sleep(300);
  } finally {
    going = false;
    await Promise.all(callers);
  }
  return result;
}

async function callOnce(url: string, result: LoadResult): Promise<void> {
  result.calls++;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    const body = (await response.json()) as { answeredBy?: string; ratedBy?: string; message?: string };
    if (!response.ok || body.answeredBy === undefined)
      throw new Error(body.message ?? `status ${response.status}`);
    // The shop answers without ratings, too: a failed call to reviews has to be counted here.
    if (body.ratedBy === undefined) throw new Error('without ratings');
    result.answeredBy.set(body.answeredBy, (result.answeredBy.get(body.answeredBy) ?? 0) + 1);
  } catch (error) {
    result.failed++;
    result.firstFailure ??= error instanceof Error ? error.message : String(error);
  }
}
