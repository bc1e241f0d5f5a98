import type { OnApplicationShutdown } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { HealthContributors } from '../health/health-contributors.js';
import type { Subscription } from 'rxjs';
import { configHealth } from './config-health.js';
import { configSourceOf, type ConfigSource } from './config-source.js';
import { invalidSources } from './invalid-sources.js';
import type { LoadedConfig } from './live/loaded-config.js';

/** Every configuration that this app loads, connected to its events, its health and its `ConfigService`. */
export class ConfigSources implements OnApplicationShutdown {
  readonly configs: readonly LoadedConfig[];
  readonly #sources: readonly ConfigSource[];
  readonly #host: object | undefined;
  readonly #subscriptions: Subscription[];

  /**
   * @param host what `ConfigService` reads; undefined: the app has none
   * @throws DiscoveryError `RK_CONFIG_INVALID` when several are loaded at one place
   */
  static async open(
    modules: ModulesContainer,
    events: DiscoveryEvents,
    health: HealthContributors,
    host: object | undefined,
  ): Promise<ConfigSources> {
    const providers = [...modules.values()].flatMap((module) => [...module.providers.values()]);
    const sources = [...new Set(providers.flatMap(({ metatype }) => configSourceOf(metatype) ?? []))];
    const retained = await Promise.allSettled(sources.map((source) => source.retain()));
    const failed = retained.find((result) => result.status === 'rejected');
    if (failed) {
      await Promise.all(
        sources.filter((_, n) => retained[n]?.status === 'fulfilled').map((source) => source.release()),
      );
      throw failed.reason;
    }
    const configs = retained.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const opened = new ConfigSources(sources, configs, events, host);
    const namespaces = configs.map(({ namespace }) => namespace);
    const issue = invalidSources(namespaces, configs[0]?.names.factory ?? '');
    if (issue) {
      await opened.onApplicationShutdown();
      throw issue;
    }
    if (configs.length > 0) health.add(configHealth(configs));
    return opened;
  }

  private constructor(
    sources: readonly ConfigSource[],
    configs: readonly LoadedConfig[],
    events: DiscoveryEvents,
    host: object | undefined,
  ) {
    this.#sources = sources;
    this.configs = configs;
    this.#host = host;
    for (const config of configs) config.connect();
    this.#subscriptions = configs.map(({ events$ }) => events$.subscribe((event) => events.emit(event)));
    // ConfigService has copied the names at the top, and would not see when one of them changes.
    if (host) for (const config of this.#atTop()) config.addTarget(host);
  }

  async onApplicationShutdown(): Promise<void> {
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
    if (this.#host) for (const config of this.#atTop()) config.removeTarget(this.#host);
    await Promise.all(this.#sources.map((source) => source.release()));
  }

  #atTop(): readonly LoadedConfig[] {
    return this.configs.filter(({ namespace }) => namespace === undefined);
  }
}
