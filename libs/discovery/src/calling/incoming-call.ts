import { AsyncLocalStorage } from 'node:async_hooks';

/** The request that this app is answering at the moment. */
export interface IncomingCall {
  /** When its caller gives up, in milliseconds of `systemClock`. */
  readonly deadline: number;
  /** It has been answered: what goes on in its name, as a job that it began, has all the time that it wants. */
  isOver: boolean;
}

const current = new AsyncLocalStorage<IncomingCall>();

/** What `work` begins, however long it takes, belongs to this request: calls that it makes end when its caller has given up. */
export function answering<T>(call: IncomingCall, work: () => T): T {
  return current.run(call, work);
}

/** Undefined outside of a request, after it, and in one whose caller did not tell. */
export function incomingCall(): IncomingCall | undefined {
  const call = current.getStore();
  return call?.isOver ? undefined : call;
}
