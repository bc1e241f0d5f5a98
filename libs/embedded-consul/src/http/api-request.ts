import { decodeGo, type GoType } from '../json/go-json-decoder.js';
import { badRequest } from './api-error.js';

/** A request as the endpoints see it. */
export interface ApiRequest {
  readonly method: string;
  /** What follows the route's path, decoded. */
  readonly rest: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** Calls back when the client disconnects, until the returned function is called. */
  readonly onGone: (callback: () => void) => () => void;
}

export interface ApiReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Rendered as JSON; left out: an empty body. */
  readonly json?: unknown;
  readonly text?: string;
  readonly bytes?: Buffer;
}

export function decodeBody(request: ApiRequest, type: GoType, prefix = 'Request decode failed: '): unknown {
  try {
    return decodeGo(request.body.toString('utf8'), type) ?? {};
  } catch (error) {
    throw badRequest(prefix + (error as Error).message);
  }
}

/** Present, even when empty: `?recurse`. */
export function has(request: ApiRequest, name: string): boolean {
  return request.query.has(name);
}

export function parameter(request: ApiRequest, name: string): string {
  return request.query.get(name) ?? '';
}
