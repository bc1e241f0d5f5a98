import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DiscoveryService } from '@rookery/discovery';
import { NamesItsModule } from '@rookery/discovery/adapter';
import { connectApp, disconnectApp } from '../connected-apps.js';
import { DiscoveryClientProxy, type DiscoveryClientOptions } from './discovery-client-proxy.js';

/** Makes clients of Nest's TCP transport, and closes them with the app. Injectable where `TcpDiscoveryModule` is imported. */
@Injectable()
@NamesItsModule()
export class TcpClients implements OnApplicationShutdown {
  readonly #discovery: DiscoveryService;
  readonly #proxies = new Set<DiscoveryClientProxy>();

  constructor(discovery: DiscoveryService) {
    this.#discovery = discovery;
    connectApp(discovery);
  }

  /** @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option */
  create(options: DiscoveryClientOptions): DiscoveryClientProxy {
    const proxy = new DiscoveryClientProxy(options, this.#discovery);
    this.#proxies.add(proxy);
    return proxy;
  }

  onApplicationShutdown(): void {
    disconnectApp(this.#discovery);
    for (const proxy of this.#proxies) proxy.close();
    this.#proxies.clear();
  }
}
