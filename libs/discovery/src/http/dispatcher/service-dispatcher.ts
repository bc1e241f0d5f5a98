import { Agent, Dispatcher } from 'undici';
import { callHeaderList } from '../../calling/call-headers.js';
import { incomingCall } from '../../calling/incoming-call.js';
import { isInstrumented } from '../../calling/instrumentation.js';
import { isIdempotent } from '../../calling/idempotent-methods.js';
import type { HttpSettings } from '../../calling/options/http-options.js';
import type { TransportOptions } from '../../calling/options/call-options.js';
import type { Transport } from '../../calling/running-attempt.js';
import type { ServiceCaller } from '../../calling/service-caller.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { HttpConnections } from '../http-connections.js';
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
    const origin = String(options.origin);
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    const service = url && serviceOfHost(url.hostname, this.#domains);
    if (!url || service === undefined) return this.#otherwise.dispatch(options, handler);
    this.#call(service, url, options, handler);
    return true;
  }

  /** The connections to instances are those of the app, and end with it. */
  override close(callback?: () => void): Promise<void> {
    return ended(this.#own?.close(), callback);
  }

  override destroy(...args: unknown[]): Promise<void> {
    return ended(this.#own?.destroy(), args.at(-1));
  }

  get #otherwise(): Dispatcher {
    return this.#given ?? (this.#own ??= new Agent());
  }

  #call(
    service: string,
    url: URL,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): void {
    const receiver = receiverOf(handler);
    const controller = new DispatchController(incomingCall()?.departure);
    const fail = (error: unknown): void => {
      controller.release();
      receiver.error(controller, controller.reason ?? (error as Error));
    };
    try {
      assertPlain(url);
      receiver.start(controller);
      controller.abortIfDeparted();
      const { http, call } = this.#split;
      const given = dispatchBody(options.body);
      const settings = this.#caller.httpSettings(service, http);
      const transport = this.#transport(url, { ...options, body: given.body }, settings);
      const own: TransportOptions<DispatchAttempt> = {
        idempotent: call.idempotent ?? options.idempotent ?? isIdempotent(options.method),
        replayableBody: given.isReplayable,
        isBodyUnread: () => given.isUnread(),
        signal: controller.signal,
        request: { method: options.method, path: options.path },
        usesAsyncContext: isInstrumented,
        readResponse: ({ responseInfo }) => responseInfo,
        discardResponse: (response) => response.discard(),
        ...(call.query ? { query: call.query } : {}),
        ...(options.headersTimeout ? { attemptTimeout: options.headersTimeout } : {}),
      };
      this.#caller
        .send(service, transport, own, call)
        .then(({ value }) => value.receive({ receiver, controller }), fail);
    } catch (error) {
      fail(error);
    }
  }

  #transport(
    { protocol }: URL,
    options: Dispatcher.DispatchOptions,
    settings: HttpSettings,
  ): Transport<DispatchAttempt> {
    const headers = dispatchHeaders(options.headers);
    return (attempt) => {
      const { instance, timeoutMs } = attempt;
      if (protocol === 'https:' && !instance.secure)
        throw new DiscoveryError(
          'RK_INVALID_ARGUMENT',
          `https was asked for, and the instance ${instance.id} of "${instance.service}" does not speak TLS`,
          {
            hint: 'Use http:// for the service: an instance that is registered as secure gets TLS in any case',
          },
        );
      const connections = this.#connections.to(instance, settings.connection);
      connections.dispatch(
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

/** A port or credentials would be without effect. */
function assertPlain({ port, username, password, href }: URL): void {
  if (port === '' && username === '' && password === '') return;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `"${new URL(href).hostname}" with a port or a user`, {
    hint: 'The host is the name of a service: its instances have their own ports',
  });
}

/** In undici's two forms: with a callback, or a promise. */
async function ended(ending: Promise<void> | undefined, callback: unknown): Promise<void> {
  await ending;
  if (typeof callback === 'function') (callback as () => void)();
}
