import {
  Client,
  credentials,
  type ClientDuplexStream,
  type ClientOptions,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { abortReason, detachAsyncContext, untraced } from '@rookery/discovery/adapter';
import { methodOf } from './api/descriptor.js';
import type { RequestOf, ResponseOf, UnaryMethod } from './api/messages.js';
import { toEtcdError } from './classify-status.js';
import type { EtcdEndpoint, ResolvedEtcd } from './etcd-options.js';

/** Time in milliseconds, unless it says otherwise. */
const OPTIONS: ClientOptions = {
  // More often, and etcd ends the connection (its --grpc-keepalive-min-time is 5 s). Watches have a sign of life of their own.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
};

/** The connection to one member. It connects when it is used, and again when it has lost the connection. */
export class EtcdConnection {
  readonly target: string;
  readonly host: string;
  readonly #client: Client;
  /** Requests under way. */
  readonly #calls = new Set<{ cancel(): void }>();

  constructor({ target, host, secure }: EtcdEndpoint, tls: ResolvedEtcd['tls']) {
    this.target = target;
    this.host = host;
    const key = tls.key && Buffer.from(tls.key.reveal());
    const channel = secure
      ? credentials.createSsl(tls.ca ?? null, key ?? null, tls.cert ?? null)
      : credentials.createInsecure();
    const { serverName } = tls;
    const options =
      serverName === undefined ? OPTIONS : { ...OPTIONS, 'grpc.ssl_target_name_override': serverName };
    this.#client = new Client(target, channel, options);
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
      const onEnd = (error: ServiceError | null, response?: ResponseOf<M>): void => {
        this.#calls.delete(call);
        signal?.removeEventListener('abort', onAbort);
        if (signal?.aborted) reject(abortReason(signal));
        else if (error) reject(toEtcdError(`${method} at ${this.target}`, error.code, error.details, error));
        else if (response) resolve(response);
      };
      const options = { deadline: Date.now() + timeoutMs };
      const call = untraced(true, () =>
        this.#client.makeUnaryRequest(
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
    // It outlives the request that happened to start it.
    return detachAsyncContext(() =>
      untraced(false, () =>
        this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, {}),
      ),
    );
  }

  close(): void {
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }
}

/** @param needsLeader a member without a leader refuses, instead of waiting for one */
export function metadataOf(token: string | undefined, needsLeader = true): Metadata {
  const metadata = new Metadata();
  if (needsLeader) metadata.set('hasleader', 'true');
  if (token !== undefined) metadata.set('token', token);
  return metadata;
}
