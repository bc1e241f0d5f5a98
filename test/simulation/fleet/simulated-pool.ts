import type { HttpPool, OpenPool } from '#libs/consul/dist/client/consul-transport.js';
import type { VirtualClock } from '../virtual-clock.js';
import { kindOf, type FleetTraffic } from './fleet-traffic.js';
import type { AgentResponse, SimulatedAgent } from './simulated-agent.js';

/** undici closes what is idle for longer. */
const KEEP_ALIVE_MS = 4_000;
const LOOPBACK_MS = 0.2;
/** Of the first line and the headers of a request that every one has, and of a response. */
const REQUEST_BYTES = ' HTTP/1.1\r\nhost: 127.0.0.1:8500\r\nconnection: keep-alive\r\n\r\n'.length;
const RESPONSE_BYTES =
  'HTTP/1.1 200 OK\r\nVary: Accept-Encoding\r\nDate: Sat, 28 Nov 2026 21:00:00 GMT\r\n\r\n'.length;

export interface SimulatedPoolOptions {
  /** The app that requests are counted for; undefined: they are not counted. */
  readonly app: number | undefined;
  readonly agent: SimulatedAgent;
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly traffic: FleetTraffic;
}

/** The connections of an app to the agent of its host. */
export function simulatedPools(options: SimulatedPoolOptions): OpenPool {
  return () => new SimulatedPool(options);
}

class SimulatedPool implements HttpPool {
  readonly #options: SimulatedPoolOptions;
  /** Each ends itself. */
  readonly #idle: (() => void)[] = [];
  readonly #closing = new AbortController();

  constructor(options: SimulatedPoolOptions) {
    this.#options = options;
  }

  async request({
    method,
    path,
    headers,
    body,
    signal,
  }: Parameters<HttpPool['request']>[0]): ReturnType<HttpPool['request']> {
    this.#connect();
    const { app, traffic } = this.#options;
    const text = body === null ? '' : body.toString();
    if (app !== undefined)
      traffic.sent(app, method.length + 1 + path.length + REQUEST_BYTES + lengthOf(headers) + text.length);
    let isWanted = true;
    const answered = this.#answer(method, path, text).then((response) => {
      // The agent keeps the connection of a query that its client has left until the wait ends.
      if (isWanted) this.#rest();
      else this.#options.agent.connections--;
      return response;
    });
    const response = await new Promise<AgentResponse>((resolve, reject) => {
      const onAbort = (): void => {
        isWanted = false;
        reject(signal.aborted ? (signal.reason as Error) : new Error('closed'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#closing.signal.addEventListener('abort', onAbort, { once: true });
      answered
        .finally(() => {
          signal.removeEventListener('abort', onAbort);
          this.#closing.signal.removeEventListener('abort', onAbort);
        })
        .then(resolve, reject);
    });
    if (app !== undefined) traffic.answered(kindOf(method, path), sizeOf(response));
    return { statusCode: response.status, headers: { ...response.headers }, body: once(response.body) };
  }

  async destroy(): Promise<void> {
    this.#closing.abort();
    for (const end of this.#idle.splice(0)) end();
  }

  async #answer(method: string, path: string, body: string): Promise<AgentResponse> {
    await this.#pass();
    const response = await this.#options.agent.handle({ method, path, body });
    await this.#pass();
    return response;
  }

  #pass(): Promise<void> {
    return new Promise((resolve) =>
      this.#options.clock.after(LOOPBACK_MS * (1 + this.#options.random()), resolve),
    );
  }

  /** Takes one that is idle, or opens one. */
  #connect(): void {
    const end = this.#idle.pop();
    if (end) {
      end();
      this.#options.agent.connected();
      return;
    }
    if (this.#options.agent.isFull) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    this.#options.agent.connected();
  }

  #rest(): void {
    const end = (): void => {
      cancel();
      this.#options.agent.connections--;
      const at = this.#idle.indexOf(end);
      if (at >= 0) this.#idle.splice(at, 1);
    };
    const cancel = this.#options.clock.after(KEEP_ALIVE_MS, end);
    this.#idle.push(end);
  }
}

async function* once(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}

function sizeOf({ headers, body }: AgentResponse): number {
  const contentLength = `Content-Length: ${body.length}\r\n`.length;
  return RESPONSE_BYTES + lengthOf(headers) + contentLength + body.length;
}

function lengthOf(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
}
