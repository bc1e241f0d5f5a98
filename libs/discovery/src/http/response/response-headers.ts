import { AxiosHeaders } from 'axios';

/** Of these Node keeps the first (its `http.IncomingMessage.headers`). */
const SINGLE: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
]);

type Values = Record<string, string | string[] | undefined>;

interface Name {
  readonly lower: string;
  /** It may come several times, or it is that of a method of AxiosHeaders, which keeps those apart. */
  readonly isSpecial: boolean;
}

/** Nearly all responses have the same few names. Bounded, since peers may send any. */
const names = new Map<string, Name>();
const MAX_NAMES = 500;

function nameOf(text: string): Name {
  const known = names.get(text);
  if (known) return known;
  const lower = text.toLowerCase();
  const name = { lower, isSpecial: lower === 'set-cookie' || lower in AxiosHeaders.prototype };
  if (names.size < MAX_NAMES) names.set(text, name);
  return name;
}

/** The headers of a response in the form of Node's own client, and so of axios. */
export function responseHeaders(raw: readonly Buffer[]): AxiosHeaders {
  const headers = new AxiosHeaders() as AxiosHeaders & Values;
  for (let n = 0; n + 1 < raw.length; n += 2) {
    const { lower, isSpecial } = nameOf(raw[n]?.toString('latin1') ?? '');
    const value = raw[n + 1]?.toString('latin1') ?? '';
    if (isSpecial || headers[lower] !== undefined) addAgain(headers, lower, value);
    else headers[lower] = value;
  }
  return headers;
}

function addAgain(headers: AxiosHeaders & Values, name: string, value: string): void {
  const before = headers.get(name) as string | string[] | null | undefined;
  if (name === 'set-cookie') headers.set(name, [...(Array.isArray(before) ? before : []), value]);
  else if (before === undefined || before === null) headers.set(name, value);
  else if (!SINGLE.has(name))
    headers.set(name, `${String(before)}${name === 'cookie' ? '; ' : ', '}${value}`);
}
