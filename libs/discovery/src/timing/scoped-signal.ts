import { abortReason } from './clock.js';

/**
 * Runs work with a signal of its own, which aborts with the outer one, and when the work has settled: whatever was begun
 * within it ends with it.
 */
export async function scoped<T>(
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal, end: (reason: Error) => void) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const abort = (): void => {
    if (outer) ending.abort(abortReason(outer));
  };
  if (outer?.aborted) abort();
  outer?.addEventListener('abort', abort, { once: true });
  try {
    return await work(ending.signal, (reason) => ending.abort(reason));
  } finally {
    outer?.removeEventListener('abort', abort);
    ending.abort(new Error('not needed any more'));
  }
}
