import type { SessionStore } from '../session/session-store.js';
import type { KvStore } from './kv-store.js';

/** One operation on a key, of `/v1/kv` or of a transaction. */
export interface KvOperation {
  readonly verb: string;
  readonly key: string;
  readonly value: Buffer;
  readonly flags: bigint;
  readonly index: number;
  readonly session: string;
}

export interface KvOutcome {
  /** Why it failed, in the words of a transaction. */
  readonly error?: string;
  /** It did not apply: stale index, held by another. */
  readonly applied: boolean;
  /** Keys to show as the result. */
  readonly show?: readonly string[];
  readonly showValues?: boolean;
  readonly wrote?: readonly string[];
  readonly undo: () => void;
}

const nothing = (): undefined => undefined;
const failed = (error: string): KvOutcome => ({ error, applied: false, undo: nothing });
const read = (show: readonly string[]): KvOutcome => ({
  applied: true,
  show,
  showValues: true,
  undo: nothing,
});

/** Applies one operation at this index; the caller commits, or undoes. */
export function applyKvOperation(
  store: KvStore,
  sessions: SessionStore,
  index: number,
  operation: KvOperation,
): KvOutcome {
  const { verb, key } = operation;
  const entry = store.get(key);
  const quoted = JSON.stringify(key);
  const wrote = (undo: () => void, show = true): KvOutcome => ({
    applied: true,
    undo,
    wrote: [key],
    ...(show ? { show: [key] } : {}),
  });
  switch (verb) {
    case 'set':
      return wrote(store.put(index, key, operation.value, operation.flags));
    case 'cas': {
      const matches = operation.index === 0 ? !entry : entry?.modifyIndex === operation.index;
      if (!matches) return failed(`failed to set key ${quoted}, index is stale`);
      return wrote(store.put(index, key, operation.value, operation.flags));
    }
    case 'lock': {
      const problem = sessionProblem(sessions, operation.session);
      if (problem !== undefined) return failed(problem);
      const held = entry !== undefined && entry.session !== '' && entry.session !== operation.session;
      if (held || (entry?.session !== operation.session && store.isClosed(key))) {
        return failed(`failed to lock key ${quoted}, lock is already held`);
      }
      const acquired = entry?.session !== operation.session;
      const lock = { session: operation.session, acquired };
      return wrote(store.put(index, key, operation.value, operation.flags, lock));
    }
    case 'unlock':
      if (operation.session === '') return failed('missing session');
      if (entry?.session !== operation.session) {
        return failed(`failed to unlock key ${quoted}, lock isn't held, or is held by another session`);
      }
      return wrote(store.put(index, key, operation.value, operation.flags, { released: true }));
    case 'get':
      return entry ? read([key]) : failed(`key ${quoted} doesn't exist`);
    case 'get-tree':
      return read(store.list(key).map((found) => found.key));
    case 'check-index':
      if (!entry) return failed(`failed to check index, key ${quoted} doesn't exist`);
      return entry.modifyIndex === operation.index
        ? { applied: true, show: [key], undo: nothing }
        : failed(
            `failed index check for key ${quoted}, current modify index ${entry.modifyIndex} != ${operation.index}`,
          );
    case 'check-session':
      if (!entry) return failed(`failed to check session, key ${quoted} doesn't exist`);
      return entry.session === operation.session
        ? { applied: true, show: [key], undo: nothing }
        : failed(
            `failed session check for key ${quoted}, current session ${JSON.stringify(entry.session)} != ${JSON.stringify(operation.session)}`,
          );
    case 'check-not-exists':
      return entry ? failed(`key ${quoted} exists`) : { applied: true, undo: nothing };
    case 'delete':
      return wrote(store.delete(index, key), false);
    case 'delete-tree': {
      const keys = store.list(key).map((found) => found.key);
      const undos = keys.map((each) => store.delete(index, each));
      return { applied: true, wrote: keys, undo: () => undos.forEach((undo) => undo()) };
    }
    case 'delete-cas':
      if (entry && entry.modifyIndex !== operation.index) {
        return failed(`failed to delete key ${quoted}, index is stale`);
      }
      return wrote(store.delete(index, key), false);
    default:
      return failed(`unknown KV verb ${JSON.stringify(verb)}`);
  }
}

function sessionProblem(sessions: SessionStore, id: string): string | undefined {
  if (id === '') return 'missing session';
  if (id.length !== 36) return 'failed session lookup: index error: UUID must be 36 characters';
  return sessions.get(id) ? undefined : `invalid session ${JSON.stringify(id)}`;
}
