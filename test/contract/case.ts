import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import type { Difference } from './differences.js';

/** The ways of a request through a service client: the short one, the core of axios, and axios's own transport. */
export type Way = 'lean' | 'core' | 'transport';

export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** A request, and how the server answers it. What comes of it has to be the same with plain axios and with a service client. */
export interface ContractCase {
  readonly name: string;
  /** Default: 200 with `{ "ok": true }`. */
  readonly handle?: Handler;
  /** @param path of the case, at the server */
  readonly send: (http: AxiosInstance, path: string) => Promise<unknown>;
  /** The documented difference from plain axios that the case shows. */
  readonly differs?: Difference;
  /** The ways that differ. Default: all. */
  readonly differsBy?: readonly Way[];
}

/** The case of a request that is made by its config. */
export function requested(
  name: string,
  config: AxiosRequestConfig | (() => AxiosRequestConfig),
  handle?: Handler,
): ContractCase {
  const send: ContractCase['send'] = (http, path) => {
    const { url = '', ...rest } = typeof config === 'function' ? config() : config;
    return http.request({ ...rest, url: path + url });
  };
  return handle ? { name, handle, send } : { name, send };
}

/** Answers with this status, these headers and this body. */
export function answer(
  status: number,
  headers: Record<string, string | string[] | number> = {},
  body: string | Buffer = '',
): Handler {
  return (_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

/** A case that shows a documented difference. */
export function differing(
  differs: Difference,
  shown: ContractCase,
  differsBy?: readonly Way[],
): ContractCase {
  return { ...shown, differs, ...(differsBy ? { differsBy } : {}) };
}

export const json = (body: unknown, status = 200): Handler =>
  answer(status, { 'content-type': 'application/json' }, JSON.stringify(body));
