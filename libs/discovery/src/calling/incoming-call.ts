import { AsyncLocalStorage } from 'node:async_hooks';
import type { CancelSignal } from '../timing/clock.js';

/** The request that this app is processing. */
export interface IncomingCall {
  /** When its caller stops waiting, in milliseconds of `systemClock`. Infinity: it did not say. */
  readonly deadline: number;
  /** True once it is answered: work that continues on its behalf, such as a background job, has no deadline. */
  isOver: boolean;
  /** What travels on with the calls that are made for it. Undefined: nothing does. */
  readonly context?: TravellingContext | undefined;
  /** Aborts when its client goes away without an answer. Undefined: calls go on then. */
  readonly departure?: CancelSignal | undefined;
}

export interface TravellingContext {
  /** Names, in lower case, and values in turn. */
  readonly headers: readonly string[];
}

const current = new AsyncLocalStorage<IncomingCall>();

/** Runs `work` as a part of this request: calls that it makes, however late, belong to the request. */
export function runInCall<T>(call: IncomingCall, work: () => T): T {
  return current.run(call, work);
}

/** Undefined outside of a request. */
export function incomingCall(): IncomingCall | undefined {
  return current.getStore();
}

/** Infinity outside of a request, after its answer, and when its caller sent no deadline. */
export function deadlineOf(call: IncomingCall | undefined): number {
  return call && !call.isOver ? call.deadline : Infinity;
}

/** A signal that aborts when either of them does. */
export function eitherSignal(
  first: CancelSignal | undefined,
  second: CancelSignal | undefined,
): CancelSignal | undefined {
  return first && second ? new EitherSignal(first, second) : (first ?? second);
}

class EitherSignal implements CancelSignal {
  readonly #first: CancelSignal;
  readonly #second: CancelSignal;

  constructor(first: CancelSignal, second: CancelSignal) {
    this.#first = first;
    this.#second = second;
  }

  get aborted(): boolean {
    return this.#first.aborted || this.#second.aborted;
  }

  get reason(): unknown {
    return this.#first.aborted ? this.#first.reason : this.#second.reason;
  }

  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void {
    this.#first.addEventListener(type, listener, options);
    this.#second.addEventListener(type, listener, options);
  }

  removeEventListener(type: 'abort', listener: () => void): void {
    this.#first.removeEventListener(type, listener);
    this.#second.removeEventListener(type, listener);
  }
}
