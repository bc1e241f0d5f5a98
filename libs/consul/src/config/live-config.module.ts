import { Global, Module } from '@nestjs/common';
import {
  DiscoveryModule as ProviderScannerModule,
  DiscoveryService as ProviderScanner,
  ModulesContainer,
} from '@nestjs/core';
import { DiscoveryEvents } from '@rookery/discovery';
import { HealthContributors } from '@rookery/discovery/adapter';
import { ConfigBindings } from './config-bindings.js';
import { ConfigSources } from './config-sources.js';
import { ConsulConfig } from './consul-config.js';

/** What `ConfigHostModule` of `@nestjs/config` provides: the object that `ConfigService` reads. The same in its versions 3, 4 and 12. */
const CONFIGURATION_TOKEN = 'CONFIGURATION_TOKEN';

/** Provides `ConsulConfig`, and connects the decorators, the events and the health of live configuration. */
@Global()
@Module({
  imports: [ProviderScannerModule],
  providers: [
    {
      provide: ConfigSources,
      useFactory: (
        modules: ModulesContainer,
        events: DiscoveryEvents,
        health: HealthContributors,
        host: object | undefined,
      ) => ConfigSources.open(modules, events, health, host),
      inject: [
        ModulesContainer,
        DiscoveryEvents,
        HealthContributors,
        { token: CONFIGURATION_TOKEN, optional: true },
      ],
    },
    {
      provide: ConsulConfig,
      useFactory: ({ configs }: ConfigSources) => new ConsulConfig(configs),
      inject: [ConfigSources],
    },
    {
      provide: ConfigBindings,
      useFactory: (config: ConsulConfig, providers: ProviderScanner) => new ConfigBindings(config, providers),
      inject: [ConsulConfig, ProviderScanner],
    },
  ],
  exports: [ConsulConfig],
})
export class LiveConfigModule {}
