import { CanceledError, type CancelToken, type InternalAxiosRequestConfig } from 'axios';
import { CancelSource } from '../timing/cancel-source.js';
import type { CancelSignal } from '../timing/clock.js';

type Listener = (reason: Error) => void;

/** Cancels one request: a `CancelToken` of axios, which each call of `HttpService` has, without the cost of its promises. */
export class Cancellation extends CancelSource {
  cancel(): void {
    this.abort(new CanceledError());
  }

  throwIfRequested(): void {
    if (this.reason) throw this.reason;
  }

  /** As axios does: a token that was cancelled before tells at once. */
  subscribe(listener: Listener): void {
    if (this.reason) listener(this.reason);
    else super.addEventListener('abort', listener);
  }

  override addEventListener(_type: 'abort', listener: Listener): void {
    this.subscribe(listener);
  }

  unsubscribe(listener: Listener): void {
    this.removeEventListener('abort', listener);
  }

  get promise(): Promise<unknown> {
    return new Promise((resolve) => this.subscribe(resolve));
  }

  /** Where axios's own transport wants a token. */
  get token(): CancelToken {
    return this as unknown as CancelToken;
  }
}

interface Token {
  readonly reason?: unknown;
  subscribe?(listener: () => void): void;
  unsubscribe?(listener: () => void): void;
}

export interface RequestCancellation {
  readonly signal: CancelSignal | undefined;
  release(): void;
}

const NONE: RequestCancellation = { signal: undefined, release: () => undefined };

/** One signal for both ways to cancel an axios request: `signal`, and the `cancelToken` of `HttpService`. */
export function cancellationOf({ signal, cancelToken }: InternalAxiosRequestConfig): RequestCancellation {
  if (!signal && !cancelToken) return NONE;
  const token = cancelToken as Token | undefined;
  if (!signal && token instanceof Cancellation) return { signal: token, release: () => undefined };
  const cancellation = new Cancellation();
  const cancel = (): void => cancellation.cancel();
  if (signal?.aborted || token?.reason) cancel();
  signal?.addEventListener?.('abort', cancel);
  token?.subscribe?.(cancel);
  return {
    signal: cancellation,
    release: () => {
      signal?.removeEventListener?.('abort', cancel);
      token?.unsubscribe?.(cancel);
    },
  };
}
