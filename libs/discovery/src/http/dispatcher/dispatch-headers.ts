import { errors, type Dispatcher } from 'undici';
import { isCallHeader } from '../../calling/call-headers.js';

type Value = string | number | null | undefined;
type Given = Dispatcher.DispatchOptions['headers'];

/** The headers of a request, in any of undici's forms, as a list of names and values. */
export function dispatchHeaders(given: Given): string[] {
  const list: string[] = [];
  const add = (name: string, value: Value | readonly Value[]): void => {
    // Those of the call that this app is answering; the attempt has its own.
    if (value === undefined || isCallHeader(name.toLowerCase())) return;
    const values: readonly Value[] = Array.isArray(value) ? (value as readonly Value[]) : [value as Value];
    for (const each of values) list.push(name, each === null || each === undefined ? '' : String(each));
  };
  if (!given) return list;
  if (Array.isArray(given) && given.length % 2 !== 0)
    throw new errors.InvalidArgumentError('headers array must be even');
  if (Array.isArray(given)) for (let n = 0; n + 1 < given.length; n += 2) add(given[n] ?? '', given[n + 1]);
  else if (Symbol.iterator in given) for (const [name, value] of given) add(name, value);
  else for (const name of Object.keys(given)) add(name, given[name]);
  return list;
}
