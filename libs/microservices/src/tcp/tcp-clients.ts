import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DiscoveryService } from '@rookery/discovery';
import { NamesItsModule } from '@rookery/discovery/adapter';
import { connectApp, disconnectApp } from '../connected-apps.js';
import { DiscoveryClientProxy, type DiscoveryClientOptions } from './discovery-client-proxy.js';
import { closeConnections } from './shared-connections.js';

/** Its owner knows it while it may have connections: one that is made for a while, and closed, is collected. */
class OwnedClient extends DiscoveryClientProxy {
  readonly #owned: Set<DiscoveryClientProxy>;

  constructor(
    options: DiscoveryClientOptions,
    discovery: DiscoveryService,
    owned: Set<DiscoveryClientProxy>,
  ) {
    super(options, discovery);
    this.#owned = owned;
  }

  /** Nest calls it before each message. */
  override connect(): Promise<void> {
    this.#owned.add(this);
    return super.connect();
  }

  override close(): void {
    this.#owned.delete(this);
    super.close();
  }
}

/** Makes clients of Nest's TCP transport, and closes them with the app. Injectable where `TcpDiscoveryModule` is imported. */
@Injectable()
@NamesItsModule()
export class TcpClients implements OnApplicationShutdown {
  readonly #discovery: DiscoveryService;
  readonly #owned = new Set<DiscoveryClientProxy>();

  constructor(discovery: DiscoveryService) {
    this.#discovery = discovery;
    connectApp(discovery);
  }

  /** @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option */
  create(options: DiscoveryClientOptions): DiscoveryClientProxy {
    return new OwnedClient(options, this.#discovery, this.#owned);
  }

  onApplicationShutdown(): void {
    disconnectApp(this.#discovery);
    for (const client of [...this.#owned]) client.close();
    closeConnections(this.#discovery);
  }
}
