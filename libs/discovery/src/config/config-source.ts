import type { ResolvedConfigOptions } from './config-options.js';
import { LoadedConfig } from './live/loaded-config.js';

/** By it a source is found on its factory, from either copy of this package in an app that loads both. */
export const CONFIG_SOURCE = Symbol.for('rookery:config-source');

/**
 * What one `consulConfig(...)` loads: opened by its first user, shared by all, and closed by the last one. Apps that are
 * created from one root module, as tests do, have the same factory.
 */
export class ConfigSource {
  readonly #resolve: (environment: NodeJS.ProcessEnv) => ResolvedConfigOptions;
  #users = 0;
  #opened: Promise<LoadedConfig> | undefined;

  /** @param resolve reads the options and the environment, when the first user comes */
  constructor(resolve: (environment: NodeJS.ProcessEnv) => ResolvedConfigOptions) {
    this.#resolve = resolve;
  }

  async retain(): Promise<LoadedConfig> {
    this.#users++;
    const isFirst = this.#opened === undefined;
    const opened = (this.#opened ??= (async () => LoadedConfig.load(this.#resolve(process.env)))());
    try {
      const config = await opened;
      if (!isFirst) await config.refresh();
      return config;
    } catch (error) {
      this.#users--;
      // Another user may have tried again meanwhile.
      if (this.#opened === opened) this.#opened = undefined;
      throw error;
    }
  }

  /** The options that it would be loaded with. */
  options(environment: NodeJS.ProcessEnv): ResolvedConfigOptions {
    return this.#resolve(environment);
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    const opened = this.#opened;
    this.#opened = undefined;
    await (await opened)?.close();
  }
}

/** The source of a factory that `consulConfig` returned; undefined: it is another factory. */
export function configSourceOf(factory: unknown): ConfigSource | undefined {
  return typeof factory === 'function'
    ? (factory as { [CONFIG_SOURCE]?: ConfigSource })[CONFIG_SOURCE]
    : undefined;
}
