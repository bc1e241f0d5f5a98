import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRequest {
  readonly method: string;
  readonly url: string;
  readonly body: Buffer;
}

/** A server that answers as it is told to, in place of an agent of Consul, or of an app. */
export class FakeAgent {
  /**
   * By path, without the query: a status, HTML, a `Response`, anything else as JSON; or a function of the URL and the method that gives one of those, at once
   * or later. What is not there is not found.
   */
  answers: Record<string, unknown> = {};
  /** Of Consul, as the header says it. */
  index = '7';
  readonly requests: FakeRequest[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const { url = '', method = '' } = request;
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.once('end', () => {
        this.requests.push({ method, url, body: Buffer.concat(pieces) });
        void Promise.resolve(this.#answerTo(url, method)).then(async (answer) => {
          response.setHeader('x-consul-index', this.index);
          if (answer === undefined) response.writeHead(404).end('not found');
          else if (typeof answer === 'number') response.writeHead(answer).end('so it is');
          else if (answer instanceof Response) response.writeHead(answer.status).end(await answer.text());
          else response.end(isPage(answer) ? answer : JSON.stringify(answer));
        });
      });
    });
  }

  static async start(): Promise<FakeAgent> {
    const agent = new FakeAgent();
    await new Promise<void>((resolve) => agent.#server.listen(0, '127.0.0.1', resolve));
    return agent;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The URLs of the requests. */
  get asked(): readonly string[] {
    return this.requests.map(({ url }) => url);
  }

  /** Calls back before each request is answered. */
  onRequest(listener: RequestListener): void {
    this.#server.prependListener('request', listener);
  }

  /** How many are open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answerTo(url: string, method: string): unknown {
    const [path = ''] = url.split('?');
    const known = this.answers[path];
    return typeof known === 'function'
      ? (known as (asked: string, by: string) => unknown)(url, method)
      : known;
  }
}

function isPage(answer: unknown): answer is string {
  return typeof answer === 'string' && answer.startsWith('<');
}
