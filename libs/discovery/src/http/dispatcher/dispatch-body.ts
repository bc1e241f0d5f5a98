import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { markCallerError } from '../../calling/error-kind.js';
import { isStream, isUnread, markOwnErrors } from '../request/request-body.js';

type Body = Dispatcher.DispatchOptions['body'];

export interface DispatchBody {
  readonly body: Body;
  /** False: it can be read only once. */
  readonly isReplayable: boolean;
  /** Whether nothing of it has been read yet. */
  isUnread(): boolean;
}

type Iterables = Partial<AsyncIterable<Uint8Array> & Iterable<Uint8Array>>;

export function dispatchBody(body: Body): DispatchBody {
  if (body instanceof Readable) {
    markOwnErrors(body);
    return { body, isReplayable: false, isUnread: () => isUnread(body) };
  }
  // A stream of another kind, of which nothing is known.
  if (isStream(body)) return { body, isReplayable: false, isUnread: () => false };
  const given = body as unknown as Iterables | string | null | undefined;
  if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given))
    return { body, isReplayable: true, isUnread: () => true };
  // What fetch makes of any body.
  const asyncIterator = given[Symbol.asyncIterator]?.bind(given);
  if (asyncIterator)
    return readOnce((onRead) => ({ [Symbol.asyncIterator]: () => onRead(() => marking(asyncIterator())) }));
  // A generator is its own iterator: there is no second one.
  const iterator = given[Symbol.iterator]?.bind(given);
  const isOnce = 'next' in given && iterator !== undefined;
  if (isOnce) return readOnce((onRead) => ({ [Symbol.iterator]: () => onRead(iterator) }));
  return { body, isReplayable: true, isUnread: () => true };
}

/** An error of the body itself says nothing about the instance. */
async function* marking(iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* { [Symbol.asyncIterator]: () => iterator };
  } catch (error) {
    markCallerError(error);
    throw error;
  }
}

function readOnce(watch: (onRead: <T>(begin: () => T) => T) => object): DispatchBody {
  let isRead = false;
  const body = watch((begin) => {
    isRead = true;
    return begin();
  });
  return { body: body as unknown as Body, isReplayable: false, isUnread: () => !isRead };
}
