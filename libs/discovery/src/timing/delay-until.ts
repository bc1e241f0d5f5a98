import type { Observable } from 'rxjs';
import { abortReason, delay, type Clock } from './clock.js';
import { withScopedSignal } from './scoped-signal.js';

/**
 * A delay that ends early when `early$` emits.
 *
 * @returns whether it ended early
 */
export async function delayUntil(
  clock: Clock,
  milliseconds: number,
  signal: AbortSignal,
  early$: Observable<void>,
): Promise<boolean> {
  let isEarly = false;
  await withScopedSignal(signal, async (waiting, wake) => {
    const subscription = early$.subscribe(() => {
      isEarly = true;
      wake(new Error('early'));
    });
    await delay(clock, milliseconds, waiting).catch(() => undefined);
    subscription.unsubscribe();
  });
  if (signal.aborted) throw abortReason(signal);
  return isEarly;
}
