import { status, type ClientDuplexStream, type Metadata } from '@grpc/grpc-js';
import {
  abortReason,
  type Clock,
  errorMessage,
  isReachable,
  type Random,
  RegistryListeners,
  type RegistryRequest,
  type RegistrySwitch,
  withAbort,
} from '@rookery/discovery/adapter';
import type { RequestOf, ResponseOf, UnaryMethod } from './api/messages.js';
import { isTokenRefused } from './classify-status.js';
import { EtcdConnection, metadataOf } from './etcd-connection.js';
import { EtcdError } from './etcd-error.js';
import type { ResolvedEtcd } from './etcd-options.js';

export interface EtcdRequestOptions {
  /** Aborts the request. */
  signal?: AbortSignal | undefined;
  /** Of one member, in milliseconds. Default: that of the client. */
  timeoutMs?: number | undefined;
}

/** To do it twice does no more than to do it once: then another member may be asked after one that did not answer. */
const REPEATABLE: ReadonlySet<UnaryMethod> = new Set<UnaryMethod>([
  ...(['KV/Range', 'KV/Put', 'KV/DeleteRange', 'KV/Compact'] as const),
  ...(['Lease/LeaseRevoke', 'Lease/LeaseTimeToLive', 'Auth/Authenticate', 'Maintenance/Status'] as const),
]);

/** The members of a cluster, of which one is used at a time, until it fails. */
export class EtcdMembers {
  readonly #connections: readonly EtcdConnection[];
  readonly #auth: ResolvedEtcd['auth'];
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly requests = new RegistryListeners<RegistryRequest>('EtcdClient');
  readonly switches = new RegistryListeners<RegistrySwitch>('EtcdClient');
  #index: number;
  #disconnects = 0;
  #token: Promise<string | undefined> | undefined;
  readonly #closing = new AbortController();

  constructor({ endpoints, auth, tls, timeoutMs }: ResolvedEtcd, clock: Clock, random: Random) {
    this.#connections = endpoints.map((endpoint) => new EtcdConnection(endpoint, tls));
    this.#auth = auth;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    // All are equal: so that not every client of a cluster uses the same one.
    this.#index = Math.floor(random() * endpoints.length);
  }

  /** The addresses of all of them. */
  get targets(): readonly string[] {
    return this.#connections.map(({ target }) => target);
  }

  get current(): EtcdConnection {
    const connection = this.#connections[this.#index];
    if (!connection) throw new EtcdError('RK_CONFIG_INVALID', 'there are no endpoints of etcd');
    return connection;
  }

  /** How often one of them failed. */
  get disconnects(): number {
    return this.#disconnects;
  }

  /** @throws EtcdError, or the signal's reason */
  async request<M extends UnaryMethod>(
    method: M,
    request: RequestOf<M>,
    { signal, timeoutMs = this.#timeoutMs }: EtcdRequestOptions = {},
  ): Promise<ResponseOf<M>> {
    this.#assertOpen();
    let hasNewToken = false;
    for (let asked = 1; ; asked++) {
      const connection = this.current;
      const begun = this.#clock.now();
      const asking = this.#metadata(connection, signal, needsLeader(method, request));
      const token = this.#token;
      try {
        const metadata = await asking;
        const response = await connection.unary(method, request, { metadata, timeoutMs, signal });
        this.#report(method, begun, undefined);
        return response;
      } catch (error) {
        if (signal?.aborted) throw error;
        this.#assertOpen();
        this.#report(method, begun, error);
        if (this.#isTokenInvalid(error) && !hasNewToken) {
          // Another request that it was refused for may have asked for the next one.
          if (this.#token === token) this.#token = undefined;
          hasNewToken = true;
          asked--;
          continue;
        }
        if (isReachable(error)) throw error;
        this.leave(connection, error);
        const mayRepeat = REPEATABLE.has(method) || (error instanceof EtcdError && error.notSent);
        if (!mayRepeat || asked >= this.#connections.length) throw error;
      }
    }
  }

  /** A stream to the member that is used now. */
  async open<Request extends object, Response>(
    name: string,
    signal: AbortSignal,
  ): Promise<{ stream: ClientDuplexStream<Request, Response>; connection: EtcdConnection }> {
    this.#assertOpen();
    const connection = this.current;
    const metadata = await this.#metadata(connection, signal);
    this.#assertOpen();
    return { stream: connection.stream<Request, Response>(name, metadata), connection };
  }

  /** It failed: the next one is used, unless that is so already. */
  leave(connection: EtcdConnection, reason: unknown): void {
    this.#disconnects++;
    if (this.current !== connection || this.#connections.length < 2) return;
    this.#index = (this.#index + 1) % this.#connections.length;
    const { target } = this.current;
    this.switches.tell({ from: connection.target, to: target, reason: errorMessage(reason) });
  }

  /** A stream was refused for its token. @returns whether another one may help */
  forgetToken(error: unknown): boolean {
    if (!this.#isTokenInvalid(error)) return false;
    this.#token = undefined;
    return true;
  }

  close(): void {
    this.#closing.abort(new EtcdError('RK_SHUT_DOWN', 'the client of etcd was closed'));
    for (const connection of this.#connections) connection.close();
  }

  #isTokenInvalid(error: unknown): boolean {
    if (!this.#auth || !(error instanceof EtcdError)) return false;
    return error.status === status.UNAUTHENTICATED || isTokenRefused(error.message);
  }

  async #metadata(
    connection: EtcdConnection,
    signal: AbortSignal | undefined,
    hasLeader = true,
  ): Promise<Metadata> {
    if (!this.#auth) return metadataOf(undefined, hasLeader);
    const token = (this.#token ??= this.#newToken(connection, this.#auth));
    // It is shared: a caller that gives up does not affect the others.
    return metadataOf(await (signal ? withAbort(token, signal) : token), hasLeader);
  }

  /** Is forgotten when it fails, whether or not a caller still waits for it. */
  #newToken(
    connection: EtcdConnection,
    auth: NonNullable<ResolvedEtcd['auth']>,
  ): Promise<string | undefined> {
    const token = this.#authenticate(connection, auth);
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw abortReason(this.#closing.signal);
  }

  async #authenticate(
    connection: EtcdConnection,
    { username, password }: NonNullable<ResolvedEtcd['auth']>,
  ): Promise<string | undefined> {
    const request = { name: username, password: password.reveal() };
    const options = { metadata: metadataOf(undefined), timeoutMs: this.#timeoutMs };
    try {
      return (await connection.unary('Auth/Authenticate', request, options)).token;
    } catch (error) {
      // As etcd's own client does it: a cluster may get its users later.
      if (error instanceof EtcdError && error.message.includes('authentication is not enabled'))
        return undefined;
      throw error;
    }
  }

  #report(operation: UnaryMethod, begun: number, error: unknown): void {
    if (!this.requests.isObserved) return;
    const durationMs = this.#clock.now() - begun;
    this.requests.tell({ operation, isBlocking: false, durationMs, status: undefined, error });
  }
}

/** What a member answers by itself. */
function needsLeader<M extends UnaryMethod>(method: M, request: RequestOf<M>): boolean {
  return method !== 'Maintenance/Status' && !('serializable' in request && request.serializable === true);
}
