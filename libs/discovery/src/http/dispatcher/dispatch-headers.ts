import type { Dispatcher } from 'undici';
import { isCallHeader } from '../../calling/call-headers.js';

type Given = Dispatcher.DispatchOptions['headers'];

/** The headers of a request, in any of undici's forms, as a list of names and values. */
export function dispatchHeaders(given: Given): string[] {
  const list: string[] = [];
  const add = (name: string, value: unknown): void => {
    // Those of the call that this app is answering; the attempt has its own.
    if (value === undefined || isCallHeader(name.toLowerCase())) return;
    for (const each of Array.isArray(value) ? value : [value]) list.push(name, String(each));
  };
  if (!given) return list;
  if (Array.isArray(given)) for (let n = 0; n + 1 < given.length; n += 2) add(given[n] ?? '', given[n + 1]);
  else if (Symbol.iterator in given) for (const [name, value] of given) add(name, value);
  else for (const name of Object.keys(given)) add(name, given[name]);
  return list;
}
