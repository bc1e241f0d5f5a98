import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import {
  DiscoveryError,
  type Attempt,
  type CallOptions,
  type DiscoveryService,
  type ServiceInstance,
} from '@rookery/discovery';
import {
  assertPicksOptions,
  callOneWay,
  invalidConfigError,
  nonEmptyString,
  omitUndefined,
  tlsTo,
  validateOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import { latestApp } from '../connected-apps.js';
import type { InstanceClient, TcpConnectionOptions } from './instance-client.js';
import { misdirection, withMetadata } from './packet-metadata.js';
import { joinConnections, leaveConnections } from './shared-connections.js';
import { TcpConnections } from './tcp-connections.js';

/** How a client of Nest's TCP transport calls; options of calls are those of `DiscoveryService.call`. */
export interface DiscoveryClientOptions extends Pick<
  CallOptions,
  'timeout' | 'attemptTimeout' | 'retries' | 'strategy' | 'query' | 'idempotent'
> {
  /** As it is registered, such as `inventory-tcp`. */
  service: string;
  /** The key of a message, for the strategies `consistent-hash` and `sticky`. Default: none. */
  hashKey?: (message: Pick<ReadPacket, 'pattern' | 'data'>) => string | undefined;
  /**
   * Of Nest's TCP client: `tlsOptions`, `serializer`, `maxBufferSize` and the like, for connections of its own. Default: none, and the connections that all
   * clients of the app share; to instances that are registered as `secure`, with the certificates of `clients.tls`.
   */
  connection?: TcpConnectionOptions;
}

export const discoveryClientOptionsSchema = z.looseObject(
  {
    service: nonEmptyString("must be the name of a registered service, such as 'inventory-tcp'"),
    idempotent: z.boolean({ error: 'must be true or false' }).optional(),
    hashKey: z
      .custom<DiscoveryClientOptions['hashKey']>((value) => typeof value === 'function', {
        error: 'must be a function of the message',
      })
      .optional(),
  },
  { error: "must be an object such as { service: 'inventory-tcp' }" },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option */
export function assertDiscoveryClient(where: string, options: DiscoveryClientOptions): void {
  const issues = validateOptions(discoveryClientOptionsSchema, options);
  if (issues.length > 0) throw invalidConfigError(where, issues);
  const { timeout, attemptTimeout, retries, strategy } = options;
  assertPicksOptions(where, omitUndefined({ timeout, attemptTimeout, retries, strategy }));
}

type Answer = (packet: WritePacket) => void;

/** The first message of a response; the others follow by themselves. */
interface Began {
  readonly packet: WritePacket;
  /** Hands on the messages that come after it. */
  readonly follow: (onAnswer: Answer) => void;
  readonly end: () => void;
}

/**
 * A client of Nest's TCP transport whose messages go to a healthy instance of a service: `send` waits for the response, `emit` until the packet is handed
 * to the connection. What was not sent goes to the next instance; what was, only where `idempotent` says so.
 *
 * @example
 * ```ts
 * ClientsModule.register([
 *   { name: 'INVENTORY', customClass: DiscoveryClientProxy, options: { service: 'inventory-tcp' } },
 * ])
 * ```
 */
export class DiscoveryClientProxy extends ClientProxy {
  readonly #options: DiscoveryClientOptions;
  /** Undefined: those of its app. */
  readonly #own: TcpConnections | undefined;
  readonly #discovery: DiscoveryService | undefined;
  /** The app whose connections it uses, since its first call. */
  #joined: { readonly app: DiscoveryService; readonly connections: TcpConnections } | undefined;
  /** End the messages that are under way, because the client is closed. */
  readonly #endings = new Set<(reason: Error) => void>();

  /**
   * @param discovery of the app; default: the latest one of this process that has imported `TcpDiscoveryModule`
   * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option
   */
  constructor(options: DiscoveryClientOptions, discovery?: DiscoveryService) {
    super();
    assertDiscoveryClient('DiscoveryClientProxy', options);
    this.#options = options;
    this.#discovery = discovery;
    const { connection } = options;
    this.#own = connection && new TcpConnections(connection, (instance) => tlsTo(this.#app(), instance));
  }

  /** Connections are made by calls. */
  override async connect(): Promise<void> {
    this.#app();
  }

  /** A later call connects again. */
  override close(): void {
    const reason = new Error('the client was closed');
    // Before their connections end, which would have them made again.
    for (const end of [...this.#endings]) end(reason);
    this.#own?.close();
    this.#leave();
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as in Nest
  override unwrap<T>(): T {
    throw new DiscoveryError('RK_INVALID_ARGUMENT', 'DiscoveryClientProxy has no single connection', {
      hint: 'There is one to each instance that is called',
    });
  }

  protected override publish(packet: ReadPacket, callback: Answer): () => void {
    const leaving = new AbortController();
    let hasLeft = false;
    let response: Began | undefined;
    const end = (reason: Error): void => {
      // An observer that has its error leaves.
      if (response) callback({ err: reason });
      else leaving.abort(reason);
    };
    const attempt: Attempt<Began> = (instance, signal, { headers }) =>
      this.#begin(instance, withMetadata(packet, instance, headers), signal);
    const called = this.#call(packet, attempt, leaving.signal);
    this.#endings.add(end);
    called.then(
      (began) => {
        if (hasLeft) {
          began.end();
          return;
        }
        response = began;
        callback(began.packet);
        began.follow(callback);
      },
      (error: unknown) => {
        if (!hasLeft) callback({ err: error });
      },
    );
    return () => {
      hasLeft = true;
      this.#endings.delete(end);
      leaving.abort(new Error('the subscriber has left'));
      response?.end();
    };
  }

  protected override async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    const attempt: Attempt<void> = (instance, signal, { headers }) =>
      this.#to(instance).event(withMetadata(packet, instance, headers), signal);
    const leaving = new AbortController();
    const end = (reason: Error): void => leaving.abort(reason);
    this.#endings.add(end);
    try {
      const options = { ...this.#callOptions(packet), signal: leaving.signal };
      await callOneWay(this.#app(), this.#options.service, attempt, options);
    } finally {
      this.#endings.delete(end);
    }
    return undefined as T;
  }

  async #begin(instance: ServiceInstance, packet: ReadPacket, signal: AbortSignal): Promise<Began> {
    const later: WritePacket[] = [];
    let onLater: Answer = (message) => {
      later.push(message);
    };
    const client = this.#to(instance);
    const follow = (onAnswer: Answer): void => {
      onLater = onAnswer;
      for (const message of later.splice(0)) {
        onAnswer(message);
      }
    };
    return new Promise<Began>((resolve, reject) => {
      let hasBegun = false;
      let end: () => void = () => undefined;
      signal.addEventListener('abort', () => {
        if (!hasBegun) end();
      });
      const onAnswer: Answer = (message) => {
        if (hasBegun) {
          onLater(message);
          return;
        }
        hasBegun = true;
        // An error of the connection; those of handlers are a response like any other.
        const misdirected = misdirection(message.err);
        if (misdirected ?? message.err instanceof Error) reject(misdirected ?? (message.err as Error));
        else resolve({ packet: message, follow, end: () => end() });
      };
      client.request(packet, onAnswer, signal).then((ending) => {
        end = ending;
        if (signal.aborted && !hasBegun) end();
      }, reject);
    });
  }

  async #call<T>(packet: ReadPacket, attempt: Attempt<T>, signal: AbortSignal): Promise<T> {
    const options = { ...this.#callOptions(packet), signal };
    return this.#app().call(this.#options.service, attempt, options);
  }

  #callOptions(packet: ReadPacket): CallOptions {
    const { service: _, connection: __, hashKey, ...options } = this.#options;
    const key = hashKey?.(packet);
    return key === undefined ? options : { ...options, hashKey: key };
  }

  #to(instance: ServiceInstance): InstanceClient {
    if (this.#own) return this.#own.to(instance);
    const app = this.#app();
    // The latest app of the process may be another one now.
    if (this.#joined?.app !== app) {
      this.#leave();
      this.#joined = { app, connections: joinConnections(app) };
    }
    return this.#joined.connections.to(instance);
  }

  #leave(): void {
    if (this.#joined) leaveConnections(this.#joined.app);
    this.#joined = undefined;
  }

  #app(): DiscoveryService {
    const discovery = this.#discovery ?? latestApp();
    if (discovery) return discovery;
    throw new DiscoveryError('RK_CONFIG_INVALID', `${this.#options.service}: no app of this process`, {
      hint: 'Import TcpDiscoveryModule of @rookery/microservices/tcp beside ConsulModule, and await app.init()',
    });
  }
}
