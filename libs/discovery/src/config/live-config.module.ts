import { Global, Module } from '@nestjs/common';
import {
  DiscoveryModule as ProviderScannerModule,
  DiscoveryService as ProviderScanner,
  ModulesContainer,
} from '@nestjs/core';
import { DiscoveryEvents } from '../events/discovery-events.js';
import { HealthContributors } from '../health/health-contributors.js';
import { ConfigBindings } from './config-bindings.js';
import { ConfigSources } from './config-sources.js';
import { LiveConfig } from './live-config.js';

/** What `ConfigHostModule` of `@nestjs/config` provides: the object that `ConfigService` reads. The same in its versions 3, 4 and 12. */
const CONFIGURATION_TOKEN = 'CONFIGURATION_TOKEN';

/** Provides `LiveConfig`, and connects the decorators, the events and the health of live configuration. */
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
      provide: LiveConfig,
      useFactory: ({ configs }: ConfigSources) => new LiveConfig(configs),
      inject: [ConfigSources],
    },
    {
      provide: ConfigBindings,
      useFactory: (config: LiveConfig, providers: ProviderScanner) => new ConfigBindings(config, providers),
      inject: [LiveConfig, ProviderScanner],
    },
  ],
  exports: [LiveConfig],
})
export class LiveConfigModule {}
