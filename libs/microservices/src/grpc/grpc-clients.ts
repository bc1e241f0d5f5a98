import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ClientGrpcProxy } from '@nestjs/microservices';
import { DiscoveryService } from '@rookery/discovery';
import { discoveryPicks, NamesItsModule, shutDownError } from '@rookery/discovery/adapter';
import { interceptCalls } from './call-interceptor.js';
import { connectApp, disconnectApp } from '../connected-apps.js';
import { describe } from './call-status.js';
import { BINDING } from './channel-binding.js';
import { targetOf, WITHOUT_PROXY } from './discovery-channel.js';
import { assertGrpcServiceClient, type GrpcServiceClientOptions } from './grpc-service-client.options.js';
import { discoveryCredentials } from './discovery-credentials.js';
import { installed } from './experimental-api.js';
import type { OpenCalls } from './intercepted-call.js';

/** Of the options that a client of grpc-js has beside those of its channel. */
interface OptionsOfClient {
  readonly interceptors?: readonly unknown[];
  readonly interceptor_providers?: readonly unknown[];
  readonly 'grpc.enable_retries'?: unknown;
}

/** Makes typed clients, and closes them with the app. Injectable where `GrpcDiscoveryModule` is imported. */
@Injectable()
@NamesItsModule()
export class GrpcClients implements OnApplicationShutdown {
  readonly #discovery: DiscoveryService;
  readonly #proxies = new Set<ClientGrpcProxy>();
  readonly #open: OpenCalls = new Set();

  constructor(discovery: DiscoveryService) {
    this.#discovery = discovery;
    connectApp(discovery);
  }

  /**
   * A client of a service, as Nest makes it: methods return Observables.
   *
   * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as `ClientGrpc.getService` of Nest
  create<T extends object>(service: string, options: GrpcServiceClientOptions): T {
    assertGrpcServiceClient(service, options);
    const {
      service: name,
      package: packages,
      protoPath,
      loader,
      credentials,
      channelOptions,
      ...calls
    } = options;
    const { interceptors = [], ...channel } = (channelOptions ?? {}) as OptionsOfClient;
    const { interceptor_providers: providers } = channel;
    // Then its channel retries nothing, and no call is to be made once more.
    const intercepted = channel['grpc.enable_retries'] === 0 ? { ...calls, retries: 0 } : calls;
    const picks = discoveryPicks(this.#discovery, service, intercepted, '@GrpcServiceClient');
    const interceptor = interceptCalls(() => picks, this.#open);
    const proxy = new ClientGrpcProxy({
      url: targetOf(service),
      package: packages,
      protoPath,
      ...(loader === undefined ? {} : { loader }),
      credentials: credentials ?? discoveryCredentials,
      channelOptions: {
        ...WITHOUT_PROXY,
        ...channel,
        // A client of grpc-js takes either of them.
        ...(providers
          ? { interceptor_providers: [() => interceptor, ...providers] }
          : { interceptors: [interceptor, ...interceptors] }),
        [BINDING]: { discovery: this.#discovery, options: calls },
      },
    });
    this.#proxies.add(proxy);
    return proxy.getService<T>(name);
  }

  onApplicationShutdown(): void {
    disconnectApp(this.#discovery);
    // A channel that is closed lets them go on, and a stream has no end. As one that its caller leaves, it says nothing about the instance.
    const reason = describe(shutDownError());
    for (const call of [...this.#open]) call.cancelWithStatus(installed.status.CANCELLED, reason);
    for (const proxy of this.#proxies) proxy.close();
    this.#proxies.clear();
  }
}
