import { Agent, Dispatcher } from 'undici';
import { callHeaderList } from '../../calling/call-headers.js';
import { incomingCall } from '../../calling/incoming-call.js';
import { isInstrumented } from '../../calling/instrumentation.js';
import { isIdempotent } from '../../calling/idempotent-methods.js';
import type { HttpSettings } from '../../calling/options/http-options.js';
import type { TransportOptions } from '../../calling/options/call-options.js';
import type { Transport } from '../../calling/running-attempt.js';
import type { ServiceCaller } from '../../calling/service-caller.js';
import type { HttpConnections } from '../http-connections.js';
import { abortReason } from '../../timing/clock.js';
import { contextPath } from '../request/context-path.js';
import { splitOptions } from '../request/split-options.js';
import type { ServiceClientOptions } from '../service-client.options.js';
import { DispatchAttempt } from './dispatch-attempt.js';
import { dispatchBody } from './dispatch-body.js';
import { DispatchController } from './dispatch-controller.js';
import { dispatchHeaders } from './dispatch-headers.js';
import { receiverOf } from './dispatch-receiver.js';
import { serviceOfHost } from './service-host.js';

export interface ServiceDispatcherOptions {
  readonly client: ServiceClientOptions;
  readonly domains: readonly string[];
  /** For other hosts; undefined: an agent of its own. */
  readonly otherwise: Dispatcher | undefined;
}

/** Sends the requests for the hosts of services to their instances, and all others elsewhere. */
export class ServiceDispatcher extends Dispatcher {
  readonly #caller: ServiceCaller;
  readonly #connections: HttpConnections;
  readonly #domains: readonly string[];
  readonly #split: ReturnType<typeof splitOptions>;
  readonly #given: Dispatcher | undefined;
  #own: Agent | undefined;

  constructor(
    caller: ServiceCaller,
    connections: HttpConnections,
    { client, domains, otherwise }: ServiceDispatcherOptions,
  ) {
    super();
    this.#caller = caller;
    this.#connections = connections;
    this.#domains = domains;
    this.#split = splitOptions(client);
    this.#given = otherwise;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const host = new URL(String(options.origin)).hostname;
    const service = serviceOfHost(host, this.#domains);
    if (service === undefined) return this.#otherwise.dispatch(options, handler);
    this.#call(service, options, handler);
    return true;
  }

  /** The connections to instances are those of the app, and end with it. */
  override async close(): Promise<void> {
    await this.#own?.close();
  }

  override async destroy(): Promise<void> {
    await this.#own?.destroy();
  }

  get #otherwise(): Dispatcher {
    return this.#given ?? (this.#own ??= new Agent());
  }

  #call(service: string, options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    const receiver = receiverOf(handler);
    const controller = new DispatchController();
    const departure = incomingCall()?.departure;
    const fail = (error: Error): void => receiver.error(controller, controller.reason ?? error);
    try {
      receiver.start(controller);
      // Before the response and while it is read; once that has ended, it changes nothing.
      departure?.addEventListener('abort', () => controller.abort(abortReason(departure)));
      const { http, call } = this.#split;
      const given = dispatchBody(options.body);
      const settings = this.#caller.httpSettings(service, http);
      const transport = this.#transport({ ...options, body: given.body }, settings);
      const own: TransportOptions<DispatchAttempt> = {
        idempotent: call.idempotent ?? options.idempotent ?? isIdempotent(options.method),
        replayableBody: given.isReplayable,
        isBodyUnread: () => given.isUnread(),
        signal: controller.signal,
        usesAsyncContext: isInstrumented,
        readResponse: ({ responseInfo }) => responseInfo,
        discardResponse: (response) => response.discard(),
        ...(call.query ? { query: call.query } : {}),
      };
      this.#caller
        .send(service, transport, own, call)
        .then(({ value }) => value.receive({ receiver, controller }), fail);
    } catch (error) {
      fail(error as Error);
    }
  }

  #transport(options: Dispatcher.DispatchOptions, settings: HttpSettings): Transport<DispatchAttempt> {
    const headers = dispatchHeaders(options.headers);
    return (attempt) => {
      const { instance, timeoutMs } = attempt;
      const connections = this.#connections.to(instance, settings.connection);
      connections.pool.dispatch(
        {
          ...options,
          origin: connections.origin,
          path: contextPath(instance, settings) + options.path,
          headers: callHeaderList(headers, instance, timeoutMs, attempt.contextHeaders),
          // The deadline of the attempt bounds it.
          headersTimeout: 0,
          bodyTimeout:
            options.bodyTimeout ?? (Number.isFinite(settings.streamIdleMs) ? settings.streamIdleMs : 0),
        },
        new DispatchAttempt(attempt, connections),
      );
    };
  }
}
