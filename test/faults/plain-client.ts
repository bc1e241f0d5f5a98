import { Agent, request } from 'node:http';
import type { ConsulAgent } from '@rookery/test-support';

export interface PlainAnswer {
  readonly status: number;
  readonly body: string;
  /** The response asks for its connection to be closed. */
  readonly closes: boolean;
}

const POLL_MS = 500;
const TIMEOUT_MS = 20_000;

/** A caller without Rookery: keep-alive connections, and a list that it reads from Consul periodically. */
export class PlainClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #list: { host: string; port: number }[] = [];
  #next = 0;
  #polling: NodeJS.Timeout | undefined;

  /** Reads the list of a service, now and every 500 ms. */
  async follow(consul: Pick<ConsulAgent, 'request'>, service: string): Promise<void> {
    const read = async (): Promise<void> => {
      const { body } = await consul.request('GET', `/v1/health/service/${service}?passing`);
      const entries = body as { Node: { Address: string }; Service: { Address: string; Port: number } }[];
      this.#list = entries.map(({ Node, Service }) => ({
        host: Service.Address || Node.Address,
        port: Service.Port,
      }));
    };
    await read();
    this.#polling = setInterval(() => void read().catch(() => undefined), POLL_MS);
  }

  call(method: 'GET' | 'POST', path: string): Promise<PlainAnswer> {
    const instance = this.#list[this.#next++ % this.#list.length];
    if (!instance) return Promise.reject(new Error('the list is empty'));
    return this.send(method, `http://${instance.host}:${instance.port}${path}`);
  }

  send(method: 'GET' | 'POST', url: string): Promise<PlainAnswer> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, agent: this.#agent, timeout: TIMEOUT_MS }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            closes: response.headers.connection === 'close',
          }),
        );
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
      sent.on('error', reject);
      sent.end();
    });
  }

  close(): void {
    clearInterval(this.#polling);
    this.#agent.destroy();
  }
}
