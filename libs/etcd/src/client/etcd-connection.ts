import {
  Client,
  credentials,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientOptions,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Certificates } from '@rookery/discovery';
import { abortReason, detachAsyncContext, Secret, untraced } from '@rookery/discovery/adapter';
import { methodOf } from './api/descriptor.js';
import type { RequestOf, ResponseOf, UnaryMethod } from './api/messages.js';
import { toEtcdError } from './classify-status.js';
import type { EtcdEndpoint, ResolvedEtcd } from './etcd-options.js';

/** As of Consul's client: no registry has that much of one service or folder to tell. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/** Time in milliseconds, unless it says otherwise. */
const OPTIONS: ClientOptions = {
  // More often, and etcd ends the connection (its --grpc-keepalive-min-time is 5 s). Watches have a sign of life of their own.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
  'grpc.max_send_message_length': -1,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
};

/** A channel, with the certificates that it connects with. */
interface MemberChannel {
  readonly client: Client;
  readonly certificates: Certificates | undefined;
  /** Requests and streams under way. */
  calls: number;
}

/**
 * The connection to one member. It connects when it is used, and again when it has lost the connection. Once certificates are renewed, what is begun
 * has a channel with the new ones; the earlier channel is closed when its last stream has ended.
 */
export class EtcdConnection {
  readonly target: string;
  readonly host: string;
  readonly #isSecure: boolean;
  readonly #tls: ResolvedEtcd['tls'];
  #channel: MemberChannel;
  /** Of earlier certificates. */
  readonly #earlier = new Set<MemberChannel>();
  /** Requests under way. */
  readonly #calls = new Set<{ cancel(): void }>();

  constructor({ target, host, secure }: EtcdEndpoint, tls: ResolvedEtcd['tls']) {
    this.target = target;
    this.host = host;
    this.#isSecure = secure;
    this.#tls = tls;
    this.#channel = this.#open(tls.certificates?.current());
  }

  /** @throws EtcdError, or the signal's reason */
  unary<M extends UnaryMethod>(
    method: M,
    request: RequestOf<M>,
    {
      metadata,
      timeoutMs,
      signal,
    }: { metadata: Metadata; timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<ResponseOf<M>> {
    const { path, requestSerialize, responseDeserialize } = methodOf<RequestOf<M>, ResponseOf<M>>(method);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortReason(signal));
        return;
      }
      const onAbort = (): void => call.cancel();
      const channel = this.#begin();
      const onEnd = (error: ServiceError | null, response?: ResponseOf<M>): void => {
        this.#end(channel);
        this.#calls.delete(call);
        signal?.removeEventListener('abort', onAbort);
        if (signal?.aborted) reject(abortReason(signal));
        else if (error) reject(toEtcdError(`${method} at ${this.target}`, error.code, error.details, error));
        else if (response) resolve(response);
      };
      const options = { deadline: Date.now() + timeoutMs };
      const call = untraced(true, () =>
        channel.client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          options,
          onEnd,
        ),
      );
      this.#calls.add(call);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Without a deadline: it lasts until it is cancelled, or fails. */
  stream<Request extends object, Response>(
    name: string,
    metadata: Metadata,
  ): ClientDuplexStream<Request, Response> {
    const { path, requestSerialize, responseDeserialize } = methodOf<Request, Response>(name);
    const channel = this.#begin();
    // It outlives the request that happened to start it.
    const stream = detachAsyncContext(() =>
      untraced(false, () =>
        channel.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, {}),
      ),
    );
    return stream.once('status', () => this.#end(channel));
  }

  close(): void {
    for (const call of this.#calls) call.cancel();
    for (const { client } of [...this.#earlier, this.#channel]) client.close();
    this.#earlier.clear();
  }

  /** The channel for a request or a stream. */
  #begin(): MemberChannel {
    const certificates = this.#tls.certificates?.current();
    const before = this.#channel;
    if (certificates !== before.certificates) {
      this.#channel = this.#open(certificates);
      this.#earlier.add(before);
      this.#closeUnused(before);
    }
    this.#channel.calls++;
    return this.#channel;
  }

  #end(channel: MemberChannel): void {
    channel.calls--;
    this.#closeUnused(channel);
  }

  #closeUnused(channel: MemberChannel): void {
    if (channel.calls > 0 || !this.#earlier.delete(channel)) return;
    channel.client.close();
  }

  #open(certificates: Certificates | undefined): MemberChannel {
    const { serverName } = this.#tls;
    const options =
      serverName === undefined ? OPTIONS : { ...OPTIONS, 'grpc.ssl_target_name_override': serverName };
    const channel = this.#isSecure ? secured(certificates) : credentials.createInsecure();
    return { client: new Client(this.target, channel, options), certificates, calls: 0 };
  }
}

function secured({ ca, cert, key }: Certificates = {}): ChannelCredentials {
  const ownKey = key instanceof Secret ? key.reveal() : key;
  return credentials.createSsl(
    ca ? Buffer.from(ca.join('\n')) : null,
    ownKey === undefined ? null : Buffer.from(ownKey),
    cert === undefined ? null : Buffer.from(cert),
  );
}

/** @param needsLeader a member without a leader refuses, instead of waiting for one */
export function metadataOf(token: string | undefined, needsLeader = true): Metadata {
  const metadata = new Metadata();
  if (needsLeader) metadata.set('hasleader', 'true');
  if (token !== undefined) metadata.set('token', token);
  return metadata;
}
