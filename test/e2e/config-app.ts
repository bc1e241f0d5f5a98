import type { DynamicModule, Provider } from '@nestjs/common';
import { ConfigModule, ConfigService, type ConfigFactory } from '@nestjs/config';
import { ConsulModule, DiscoveryEvents, type TimedDiscoveryEvent } from '@rookery/consul';
import { ConsulConfig } from '@rookery/consul/config';
import { rootModule, startApp, type TestApp } from './test-app.js';

export interface ConfigApp extends TestApp {
  readonly config: ConfigService;
  readonly live: ConsulConfig;
  /** What happened to the configuration since the app started. */
  readonly events: TimedDiscoveryEvent[];
  /** The status of the readiness check, and the configuration's part in it. */
  readonly health: () => Promise<{
    status: number;
    configuration: { status: string; message?: string } | undefined;
  }>;
}

/**
 * An app with live configuration; it registers nothing.
 *
 * @param registry the address of a Consul, or the module of another registry
 */
export async function startConfigApp(
  registry: string | DynamicModule,
  load: readonly ConfigFactory[],
  providers: Provider[] = [],
): Promise<ConfigApp> {
  const adapter =
    typeof registry === 'string' ? ConsulModule.forRoot({ agent: { url: registry } }) : registry;
  const module = rootModule([configModule(load), adapter], { providers });
  const started = await startApp(module);
  const events: TimedDiscoveryEvent[] = [];
  started.app.get(DiscoveryEvents).events$.subscribe((event) => {
    if (event.type.startsWith('config.')) events.push(event);
  });
  return {
    ...started,
    config: started.app.get(ConfigService),
    live: started.app.get(ConsulConfig),
    events,
    health: async () => {
      const response = await fetch(`${started.url}/health/ready`);
      const body = (await response.json()) as {
        details?: { configuration?: { status: string; message?: string } };
      };
      return { status: response.status, configuration: body.details?.configuration };
    },
  };
}

/** Its type is a promise in Nest 12, which `imports` takes as well. */
export function configModule(load: readonly ConfigFactory[]): DynamicModule {
  return ConfigModule.forRoot({
    isGlobal: true,
    ignoreEnvFile: true,
    load: [...load],
  }) as unknown as DynamicModule;
}
