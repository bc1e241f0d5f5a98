import { Agent, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { markSent } from '../../calling/not-sent.js';
import type { HttpSettings } from '../../calling/options/http-options.js';
import type { TransportOptions } from '../../calling/options/call-options.js';
import type { HttpResponseInfo } from '../../calling/response-info.js';
import type { OpenAttempt, Transmission, Transport } from '../../calling/running-attempt.js';
import type { ServiceCaller } from '../../calling/service-caller.js';
import { Cancellation } from '../cancellation.js';
import type { HttpConnections } from '../http-connections.js';
import { splitOptions } from '../request/split-options.js';
import type { ServiceClientOptions } from '../service-client.options.js';
import { FinalStatus } from './final-status.js';
import { serviceOfHost } from '../dispatcher/service-host.js';

type Callback = (error: Error | null, stream: Duplex) => void;

/**
 * An agent of `node:http` that connects to an instance of the service. It sees connections, not requests: one is made for each request, to the
 * next instance where it is refused; once it is handed over, the request is that of its user, and is not repeated. The status of the
 * response counts for or against the instance as that of any call does.
 */
export class ServiceAgent extends Agent {
  readonly #caller: ServiceCaller;
  readonly #connections: HttpConnections;
  readonly #domains: readonly string[];
  readonly #split: ReturnType<typeof splitOptions>;

  constructor(
    caller: ServiceCaller,
    connections: HttpConnections,
    client: ServiceClientOptions,
    domains: readonly string[],
  ) {
    // A connection that is kept would go on with its instance, whatever becomes of it.
    super({ keepAlive: false });
    this.#caller = caller;
    this.#connections = connections;
    this.#domains = domains;
    this.#split = splitOptions(client);
  }

  override createConnection(options: ClientRequestArgs, callback: Callback): Duplex | null | undefined {
    const service = serviceOfHost(options.host ?? '', this.#domains);
    if (service === undefined) return super.createConnection(options, callback);
    this.#connect(service, callback);
    return undefined;
  }

  #connect(service: string, callback: Callback): void {
    const { http, call } = this.#split;
    const handOver: HandOver = { isDone: false, cancellation: new Cancellation(), callback };
    const options: TransportOptions<HttpResponseInfo> = {
      idempotent: false,
      signal: handOver.cancellation,
      readResponse: (info) => info,
      ...(call.query ? { query: call.query } : {}),
    };
    try {
      const settings = this.#caller.httpSettings(service, http);
      const transport: Transport<HttpResponseInfo> = (attempt) =>
        new AgentAttempt(attempt, handOver).start(this.#connections, settings);
      this.#caller.send(service, transport, options, call).catch((error: unknown) => {
        // Afterwards the request has the error, from its socket.
        if (!handOver.isDone) callback(error as Error, undefined as never);
      });
    } catch (error) {
      callback(error as Error, undefined as never);
    }
  }
}

/** What becomes of the connection for a request. */
interface HandOver {
  isDone: boolean;
  readonly cancellation: Cancellation;
  readonly callback: Callback;
}

/** The connection for one request to one instance. */
class AgentAttempt implements Transmission {
  readonly #attempt: OpenAttempt<HttpResponseInfo>;
  readonly #handOver: HandOver;
  #socket: Socket | undefined;
  #cancelled: Error | undefined;

  constructor(attempt: OpenAttempt<HttpResponseInfo>, handOver: HandOver) {
    this.#attempt = attempt;
    this.#handOver = handOver;
    attempt.transmission = this;
  }

  start(connections: HttpConnections, { connection }: HttpSettings): void {
    connections.connect(this.#attempt.instance, connection, (error, socket) => {
      if (error) this.#attempt.fail(error);
      else if (this.#cancelled) socket.destroy(this.#cancelled);
      else this.#handOn(socket);
    });
  }

  cancel(reason: Error): void {
    this.#cancelled = reason;
    this.#socket?.destroy(reason);
  }

  explainTimeout(): undefined {
    return undefined;
  }

  #handOn(socket: Socket): void {
    this.#socket = socket;
    const attempt = this.#attempt;
    const release = attempt.hold();
    const status = new FinalStatus();
    let isPeers = false;
    let hasResponse = false;
    // Its user ends it with an error, too: that of a signal, for one.
    socket.once('error', (error: NodeJS.ErrnoException) => (isPeers ||= error.syscall !== undefined));
    socket.once('end', () => (isPeers = true));
    socket.once('close', () => {
      release();
      if (hasResponse) return;
      if (isPeers) attempt.fail(markSent(new Error('the connection ended before there was a response')));
      // Its user has given up.
      else this.#handOver.cancellation.cancel();
    });
    this.#handOver.isDone = true;
    this.#handOver.callback(null, socket);
    // After the request has its own listener: with the first one, a socket begins to flow.
    const read = (chunk: Buffer): void => {
      const code = status.read(chunk);
      if (code === undefined) return;
      hasResponse = true;
      socket.off('data', read);
      attempt.succeed({ status: code, retryAfter: undefined, isMisdirected: false });
    };
    setImmediate(() => socket.prependListener('data', read));
  }
}
