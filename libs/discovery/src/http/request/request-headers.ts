import { Readable } from 'node:stream';
import axios, { type AxiosHeaders, type InternalAxiosRequestConfig } from 'axios';
import { isCallHeader } from '../../calling/call-headers.js';
import type { PlainBody } from './request-body.js';

const USER_AGENT = `axios/${axios.VERSION}`;
/** Anything that is no character of ISO 8859-1, or a control character (RFC 9110, 5.5). */
const NO_HEADER_TEXT = /[^\t\x20-\x7e\x80-\xff]/;

/** Names and values in turn, as undici takes them. */
export type HeaderList = string[];

type Values = Record<string, string | string[] | number | boolean | null | undefined>;

/**
 * Completes the headers of a request as axios's own transport does, and returns them as a list.
 *
 * @returns undefined when undici would refuse one of them
 */
export function headerList(config: InternalAxiosRequestConfig, body: PlainBody): HeaderList | undefined {
  const headers = config.headers as AxiosHeaders & Values;
  const list: HeaderList = [];
  let hasEncoding = false;
  let hasAgent = false;
  let hasLength = false;
  for (const name in headers) {
    const value = Object.hasOwn(headers, name) ? (headers as Values)[name] : undefined;
    if (value === undefined || value === null) continue;
    const lower = name === 'Accept' ? 'accept' : name.toLowerCase();
    switch (lower) {
      case 'user-agent':
        hasAgent = true;
        break;
      case 'accept-encoding':
        hasEncoding = true;
        break;
      case 'content-length':
        hasLength = true;
        // Undici computes it, and refuses a wrong one; it does not know that of a stream.
        if (!(body instanceof Readable)) continue;
        if (!/^\d+$/.test(String(value))) return undefined;
        break;
      case 'authorization':
        if (!config.auth) break;
        headers.delete(name);
        continue;
      default:
        if (HOP_BY_HOP.has(lower)) return undefined;
        // Those of the call that this app is answering, which a gateway hands on; the attempt has its own.
        if (isCallHeader(lower)) continue;
    }
    // False means: do not send it.
    if (value !== false && !addValue(list, lower, value)) return undefined;
  }
  if (config.auth) list.push('authorization', basic(config.auth));
  if (!hasAgent) list.push('user-agent', (headers['User-Agent'] = USER_AGENT));
  // Inside a datacenter compression costs more than it saves; without the header, a peer might use any.
  if (!hasEncoding) list.push('accept-encoding', (headers['Accept-Encoding'] = 'identity'));
  if (!hasLength && Buffer.isBuffer(body)) headers['Content-Length'] = String(body.length);
  return list;
}

/** @returns false when undici would refuse it */
function addValue(list: HeaderList, name: string, value: NonNullable<Values[string]>): boolean {
  for (const each of Array.isArray(value) ? value : [value]) {
    const text = String(each);
    if (NO_HEADER_TEXT.test(text)) return false;
    list.push(name, text);
  }
  return true;
}

export function withoutHeaders(list: HeaderList, names: readonly string[]): HeaderList {
  const left: HeaderList = [];
  for (let n = 0; n + 1 < list.length; n += 2) {
    const [name = '', value = ''] = list.slice(n, n + 2);
    if (!names.includes(name)) left.push(name, value);
  }
  return left;
}

/** undici refuses them (undici#1746), where Node's client sends them; a gateway may hand them on with all the rest. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function basic({ username = '', password = '' }: { username?: string; password?: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
