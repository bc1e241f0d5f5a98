import { AsyncLocalStorage } from 'node:async_hooks';

/** The request that this app is processing. */
export interface IncomingCall {
  /** When its caller stops waiting, in milliseconds of `systemClock`. */
  readonly deadline: number;
  /** True once it is answered: work that continues on its behalf, such as a background job, has no deadline. */
  isOver: boolean;
}

const current = new AsyncLocalStorage<IncomingCall>();

/** Runs `work` as a part of this request: calls that it makes, however late, end at the deadline of the request. */
export function runInCall<T>(call: IncomingCall, work: () => T): T {
  return current.run(call, work);
}

/** Undefined outside of a request, after its response, and when its caller sent no deadline. */
export function incomingCall(): IncomingCall | undefined {
  const call = current.getStore();
  return call?.isOver ? undefined : call;
}
