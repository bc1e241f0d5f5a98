import { Observable, Subscriber, type Observer, type Operator, type Subscription } from 'rxjs';

type OnThrown = (error: unknown) => void;
type Sink<T> = Partial<Observer<T>> | ((value: T) => void);

/**
 * An observable that isolates its subscribers: an error that one throws is reported, and it is called again with the next
 * value. RxJS itself rethrows such an error from a timer, which ends the process. Observables derived with `pipe` are
 * isolated too.
 */
export class IsolatedObservable<T> extends Observable<T> {
  readonly #onThrown: OnThrown;

  constructor(inner: Observable<T> | undefined, onThrown: OnThrown) {
    super(inner && ((subscriber) => inner.subscribe(subscriber)));
    this.#onThrown = onThrown;
  }

  // eslint-disable-next-line @typescript-eslint/no-deprecated -- what `pipe` calls; Subject of RxJS 7 does the same
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const derived = new IsolatedObservable<R>(undefined, this.#onThrown);
    // As RxJS itself chains operators; the fields are private to its own classes by declaration only.
    Object.assign(derived, { source: this, operator });
    return derived;
  }

  override subscribe(
    sink?: Sink<T> | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // RxJS's own operators pass errors on; only the user's sink at the end of the chain is isolated.
    if (sink instanceof Subscriber) return super.subscribe(sink);
    const own: Partial<Observer<T>> =
      typeof sink === 'function' ? { next: sink } : { ...(sink && boundTo(sink)) };
    if (error) own.error = error;
    if (complete) own.complete = complete;
    return super.subscribe({
      next: this.#isolated((value: T) => own.next?.(value)),
      error: this.#isolated((thrown: unknown) => (own.error ? own.error(thrown) : this.#onThrown(thrown))),
      complete: this.#isolated(() => own.complete?.()),
    });
  }

  #isolated<A extends unknown[]>(call: (...args: A) => unknown): (...args: A) => void {
    return (...args) => {
      try {
        const returned = call(...args);
        // An unhandled rejection of an async subscriber would end the process, too.
        if (returned instanceof Promise) returned.catch(this.#onThrown);
      } catch (thrown) {
        this.#onThrown(thrown);
      }
    };
  }
}

/** Calls the observer's methods on the observer itself: it may be an instance of a class. */
function boundTo<T>(sink: Partial<Observer<T>>): Partial<Observer<T>> {
  return {
    ...(sink.next ? { next: (value: T) => sink.next?.(value) } : {}),
    ...(sink.error ? { error: (thrown: unknown) => sink.error?.(thrown) } : {}),
    ...(sink.complete ? { complete: () => sink.complete?.() } : {}),
  };
}
