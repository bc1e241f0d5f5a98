import { getConfigToken, registerAs, type ConfigFactory, type ConfigFactoryKeyHost } from '@nestjs/config';
import type { ResolvedConfigOptions } from './config-options.js';
import { CONFIG_SOURCE, ConfigSource } from './config-source.js';

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
export type LiveConfigFactory<T extends object> = ConfigFactory<T> & ConfigFactoryKeyHost<T>;

let count = 0;

/**
 * For an adapter: a factory for `load` of `@nestjs/config`, which loads a configuration and keeps it up to date.
 *
 * @param resolve reads the options and the environment, when the app is created
 */
export function configFactory<T extends object>(
  resolve: (environment: NodeJS.ProcessEnv) => ResolvedConfigOptions,
  name: string | undefined,
): LiveConfigFactory<T> {
  const source = new ConfigSource(resolve);
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
  if (name === undefined) hide(load, 'KEY', getConfigToken(`live-config-${++count}`));
  else registerAs(name, load);
  return load as LiveConfigFactory<T>;
}

/** Not part of the values: it is neither copied nor printed with them. */
function hide(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: false });
}
