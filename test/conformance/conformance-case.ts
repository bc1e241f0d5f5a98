import type { ConsulApi } from './consul-api.js';

/** A behaviour of Consul, written once and looked at on both agents: what `observe` returns must be the same. */
export interface ConformanceCase {
  readonly area: string;
  readonly name: string;
  readonly observe: (api: ConsulApi) => Promise<unknown>;
  /** Where the two may differ, why; `observe` then leaves that out. */
  readonly mayDiffer?: string;
}

export type Request = readonly [method: string, path: string, body?: unknown];

/** One request for each case, after the same preparation. */
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

/** Several requests in a row, each of whose answers counts. */
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
