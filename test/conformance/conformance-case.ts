import type { ConsulApi } from './consul-api.js';

/** A behaviour of Consul, written once and observed on both agents: `observe` must return the same. */
export interface ConformanceCase {
  readonly area: string;
  readonly name: string;
  readonly observe: (api: ConsulApi) => Promise<unknown>;
  /** The reason of an allowed difference, which `observe` leaves out. */
  readonly mayDiffer?: string;
}

export type Request = readonly [method: string, path: string, body?: unknown];

/** One request for each case, after the same setup. */
export function requestCases(
  area: string,
  prepare: readonly Request[],
  requests: readonly Request[],
): ConformanceCase[] {
  return requests.map(([method, path, body]) => ({
    area,
    name: `${method} ${path}${body === undefined ? '' : ` ${shorten(body)}`}`,
    observe: async (api) => {
      for (const [m, p, b] of prepare) await api.raw(m, p, b);
      return api.ask(method, path, body);
    },
  }));
}

/** Several requests in sequence, all of whose responses are compared. */
export function sequenceCase(area: string, name: string, requests: readonly Request[]): ConformanceCase {
  return {
    area,
    name,
    observe: async (api) => {
      const answers = [];
      for (const [method, path, body] of requests) answers.push(await api.ask(method, path, body));
      return answers;
    },
  };
}

function shorten(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return text.length > 90 ? `${text.slice(0, 90)}… (${text.length})` : text;
}
