import type { Observable } from 'rxjs';
import { abortReason, pause, type Clock } from './clock.js';
import { scoped } from './scoped-signal.js';

/** A pause that ends early when `early$` emits; tells whether it did. */
export async function pauseUntil(
  clock: Clock,
  milliseconds: number,
  signal: AbortSignal,
  early$: Observable<void>,
): Promise<boolean> {
  let isEarly = false;
  await scoped(signal, async (waking, wake) => {
    const subscription = early$.subscribe(() => {
      isEarly = true;
      wake(new Error('early'));
    });
    await pause(clock, milliseconds, waking).catch(() => undefined);
    subscription.unsubscribe();
  });
  if (signal.aborted) throw abortReason(signal);
  return isEarly;
}
