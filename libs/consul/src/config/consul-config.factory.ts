import { getConfigToken, registerAs, type ConfigFactory, type ConfigFactoryKeyHost } from '@nestjs/config';
import type { StandardSchema } from '@rookery/discovery/adapter';
import { resolveConfigOptions, type ConsulConfigOptions } from './config-options.js';
import { CONFIG_SOURCE, ConfigSource } from './config-source.js';
import type { ConfigSchema } from './values/validate-values.js';

/** What a schema returns: of zod and others by the type of their output, of a class its instances. */
export type ConfigOf<S> = S extends abstract new (...args: never[]) => infer T
  ? T
  : S extends { readonly '~standard': { readonly types?: { readonly output: infer T } | undefined } }
    ? unknown extends T
      ? Record<string, unknown>
      : T
    : Record<string, unknown>;

/** What a schema takes: for the type of `defaults`. */
export type InputOf<S> = S extends abstract new (...args: never[]) => infer T
  ? T
  : S extends { readonly '~standard': { readonly types?: { readonly input: infer T } | undefined } }
    ? unknown extends T
      ? object
      : T
    : object;

/** Any part of it, at every level. */
export type Partly<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends readonly unknown[]
    ? T
    : T extends object
      ? { readonly [K in keyof T]?: Partly<T[K]> }
      : T;

/** For `load` of `ConfigModule.forRoot`; `KEY` injects the values. */
export type ConsulConfigFactory<T extends object> = ConfigFactory<T> & ConfigFactoryKeyHost<T>;

let count = 0;

/**
 * Loads configuration from Consul's key-value store, for `load` of `@nestjs/config`, and keeps it up to date. It has a client of its own, so that
 * it works before any module is up. `ConsulModule` adds `ConsulConfig`, `@ConfigValue`, `@OnConfigChange`, events and health.
 *
 * @example
 * ```ts
 * ConfigModule.forRoot({
 *   isGlobal: true,
 *   load: [consulConfig({ name: 'inventory', profiles: ['prod'], schema: z.object({ limits: z.object({ rate: z.number() }) }) })],
 * });
 * ```
 * @throws DiscoveryError when the app is created: `RK_CONFIG_INVALID` with every wrong option, or every value that the schema refuses
 */
export function consulConfig<S extends ConfigSchema = StandardSchema>(
  options: ConsulConfigOptions & { readonly schema?: S; readonly defaults?: Partly<InputOf<S>> } = {},
): ConsulConfigFactory<ConfigOf<S> & object> {
  const source = new ConfigSource((environment) => resolveConfigOptions(options, environment));
  const load = async (): Promise<object> => {
    const config = await source.retain();
    // Of a class its instance has the methods, too.
    const target = Object.create(Object.getPrototypeOf(config.values) as object) as object;
    config.addTarget(target);
    let isReleased = false;
    // Nest calls the hooks of whatever a provider is, and several times if several providers return the same.
    hide(target, 'onModuleInit', () => config.watch());
    hide(target, 'onApplicationBootstrap', () => config.warnIfUnconnected());
    hide(target, 'onApplicationShutdown', async () => {
      if (isReleased) return;
      isReleased = true;
      config.removeTarget(target);
      await source.release();
    });
    return target;
  };
  hide(load, CONFIG_SOURCE, source);
  if (options.registerAs === undefined) hide(load, 'KEY', getConfigToken(`consul-config-${++count}`));
  else registerAs(options.registerAs, load);
  return load as ConsulConfigFactory<ConfigOf<S> & object>;
}

/** Not part of the values: it is neither copied nor printed with them. */
function hide(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: false });
}
