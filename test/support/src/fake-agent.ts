import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a path is answered with: a status, HTML, anything else as JSON; or what a function says, given the URL, at once or later. */
export type FakeAnswer = unknown;

/** A server that answers as it is told to, in place of an agent of Consul, or of an app. */
export class FakeAgent {
  /** By path, without the query; what is not there is not found. */
  answers: Record<string, FakeAnswer> = {};
  /** The URLs of the requests. */
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const { url = '' } = request;
      this.asked.push(url);
      const [path = ''] = url.split('?');
      const known = this.answers[path];
      const answered: unknown =
        typeof known === 'function' ? (known as (asked: string) => unknown)(url) : known;
      void Promise.resolve(answered).then((answer) => {
        response.setHeader('x-consul-index', '7');
        if (answer === undefined) response.writeHead(404).end('not found');
        else if (typeof answer === 'number') response.writeHead(answer).end('so it is');
        else
          response.end(
            typeof answer === 'string' && answer.startsWith('<') ? answer : JSON.stringify(answer),
          );
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

  /** Calls back before each request is answered. */
  onRequest(listener: RequestListener): void {
    this.#server.prependListener('request', listener);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
