import { abortReason } from './clock.js';

/**
 * Runs work with a signal of its own. It aborts with the outer signal, and when the work has settled, so that whatever the
 * work started ends with it.
 */
export async function withScopedSignal<T>(
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
    ending.abort(new Error('no longer needed'));
  }
}
