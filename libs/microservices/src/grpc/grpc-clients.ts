import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ClientGrpcProxy } from '@nestjs/microservices';
import { DiscoveryService } from '@rookery/discovery';
import { discoveryPicks, NamesItsModule } from '@rookery/discovery/adapter';
import { interceptCalls } from './call-interceptor.js';
import { connectApp, disconnectApp } from '../connected-apps.js';
import { BINDING } from './channel-binding.js';
import { targetOf } from './discovery-channel.js';
import { assertGrpcServiceClient, type GrpcServiceClientOptions } from './grpc-service-client.options.js';
import { discoveryCredentials } from './discovery-credentials.js';

/** Makes typed clients, and closes them with the app. Injectable where `GrpcDiscoveryModule` is imported. */
@Injectable()
@NamesItsModule()
export class GrpcClients implements OnApplicationShutdown {
  readonly #discovery: DiscoveryService;
  readonly #proxies = new Set<ClientGrpcProxy>();

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
    const picks = discoveryPicks(this.#discovery, service, calls, '@GrpcServiceClient');
    const { interceptors = [], ...channel } = (channelOptions ?? {}) as { interceptors?: unknown[] };
    const proxy = new ClientGrpcProxy({
      url: targetOf(service),
      package: packages,
      protoPath,
      ...(loader === undefined ? {} : { loader }),
      credentials: credentials ?? discoveryCredentials,
      channelOptions: {
        ...channel,
        interceptors: [interceptCalls(() => picks), ...interceptors],
        [BINDING]: { discovery: this.#discovery, options: calls },
      },
    });
    this.#proxies.add(proxy);
    return proxy.getService<T>(name);
  }

  onApplicationShutdown(): void {
    disconnectApp(this.#discovery);
    for (const proxy of this.#proxies) proxy.close();
    this.#proxies.clear();
  }
}
