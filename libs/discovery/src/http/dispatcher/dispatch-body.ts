import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { isUnread } from '../request/request-body.js';

type Body = Dispatcher.DispatchOptions['body'];

export interface DispatchBody {
  readonly body: Body;
  /** False: it can be read only once. */
  readonly isReplayable: boolean;
  /** Whether nothing of it has been read yet. */
  isUnread(): boolean;
}

export function dispatchBody(body: Body): DispatchBody {
  if (body instanceof Readable) return { body, isReplayable: false, isUnread: () => isUnread(body) };
  const iterable = body as unknown as AsyncIterable<Uint8Array> | null | undefined;
  if (typeof iterable?.[Symbol.asyncIterator] !== 'function')
    return { body, isReplayable: true, isUnread: () => true };
  // What fetch makes of any body.
  let isRead = false;
  const watched: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => {
      isRead = true;
      return iterable[Symbol.asyncIterator]();
    },
  };
  return { body: watched as unknown as Body, isReplayable: false, isUnread: () => !isRead };
}
