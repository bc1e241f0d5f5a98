import { setMaxListeners } from 'node:events';
import { Logger } from '@nestjs/common';
import { DiscoveryError, type DiscoveryEvent } from '@rookery/discovery';
import {
  errorMessage,
  isAborted,
  isRefused,
  ReconnectSignal,
  systemClock,
  withScopedSignal,
  type Clock,
} from '@rookery/discovery/adapter';
import { Subject } from 'rxjs';
import { ConsulClient } from '../../client/consul-client.js';
import { ONE_CONNECTION } from '../../client/connection-budget.js';
import type { ConfigChange, ConfigExplanation } from '../config-change.js';
import type { ResolvedConfigOptions } from '../config-options.js';
import { formatConfigPath, type ConfigPath } from '../config-path.js';
import type { ConfigTree } from '../layers/config-tree.js';
import { ignoredKeys } from '../layers/read-layer.js';
import { loadReaders } from '../layers/documents.js';
import { InvalidContent, type ConfigProblem } from '../problem.js';
import { decoratedClasses } from '../decorated-classes.js';
import { SecretPaths } from '../secret-paths.js';
import { SecretValues } from '../values/secret-values.js';
import { unusedValues } from '../unused-values.js';
import { changedPaths, freezeValues, shareValues, valueAt } from '../values/plain-values.js';
import { loadValidator } from '../values/validate-values.js';
import { ConfigBuilder, type BuiltConfig, type LayerKeys } from './build-version.js';
import { ConfigSnapshot } from './config-snapshot.js';
import { ConfigTargets } from './config-targets.js';
import { Debounce } from './debounce.js';
import { WatchedLayer } from './watched-layer.js';

/** The part of the events that is about configuration. */
export type ConfigEvent = Extract<DiscoveryEvent, { type: `config.${string}` | 'snapshot.failed' }>;

const SHOWN_PATHS = 10;

/** Values from Consul that follow every change there. One for each `consulConfig(...)` in use. */
export class LiveConfig {
  readonly #options: ResolvedConfigOptions;
  readonly #clock: Clock;
  readonly #logger = new Logger('ConsulConfig');
  readonly #client: ConsulClient;
  readonly #builder: ConfigBuilder;
  readonly #layers: readonly WatchedLayer[];
  readonly #snapshot: ConfigSnapshot | undefined;
  readonly #targets = new ConfigTargets();
  readonly #changes = new Subject<ConfigChange>();
  readonly #events = new Subject<ConfigEvent>();
  readonly #debounce: Debounce;
  readonly #stopping = new AbortController();
  /** The layers whose watch fails at present. */
  readonly #failing = new Set<WatchedLayer>();
  #failingSince = 0;
  #failure: string | undefined;
  #built: BuiltConfig | undefined;
  #version = 0;
  /** When the keys from disk were saved; undefined: there are none. */
  #savedAt: number | undefined;
  #problems: readonly ConfigProblem[] = [];
  #warnedOf = new Set<string>();
  #rebuilding: Promise<void> | undefined;
  #isOutdated = false;
  #isWatching = false;
  #isConnected = false;

  /** Every version, as it comes into use; the values are in place then. */
  readonly changes$ = this.#changes.asObservable();
  readonly events$ = this.#events.asObservable();

  /**
   * Reads the configuration, and watches it until `close`.
   *
   * @throws DiscoveryError `RK_CONFIG_INVALID` when the values cannot be used, and the error of Consul with `fail-fast`
   */
  static async load(options: ResolvedConfigOptions, clock: Clock = systemClock): Promise<LiveConfig> {
    const [readers, validate] = await Promise.all([
      loadReaders(options.format),
      loadValidator(options.schema),
    ]);
    const secrets = new SecretPaths(options.secrets);
    let builder: ConfigBuilder;
    try {
      builder = new ConfigBuilder({ ...options, readers, validate, secrets });
    } catch (error) {
      if (!(error instanceof InvalidContent)) throw error;
      throw new DiscoveryError('RK_CONFIG_INVALID', `consulConfig: ${error.key}: ${error.reason}`);
    }
    const config = new LiveConfig(options, builder, clock);
    try {
      await config.#start();
    } catch (error) {
      await config.close();
      throw error;
    }
    return config;
  }

  private constructor(options: ResolvedConfigOptions, builder: ConfigBuilder, clock: Clock) {
    const { agent, paths, datacenter, snapshotDirectory, debounceMs } = options;
    this.#options = options;
    this.#clock = clock;
    this.#builder = builder;
    // Each tree listens to it, and Node warns of more than ten listeners.
    setMaxListeners(0, this.#stopping.signal);
    // One blocking query for each tree, apart from every other client of this process.
    this.#client = new ConsulClient(agent, { ...ONE_CONNECTION, watch: paths.length, plain: 2 });
    this.#debounce = new Debounce(clock, debounceMs, () => {
      void this.#rebuild();
    });
    const reconnectSignal = new ReconnectSignal();
    this.#layers = paths.map((path) => {
      const layer: WatchedLayer = new WatchedLayer(path, {
        client: this.#client,
        clock,
        random: Math.random,
        reconnectSignal,
        datacenter,
        onChange: () => this.#debounce.trigger(),
        onSuspect: (missing, reason) => {
          this.#logger.warn(reason);
          this.#events.next({ type: 'config.suspect', path, missing, reason });
        },
        onConfirmed: (removed, reason) => {
          this.#logger.warn(`${path}: ${removed} keys are removed: ${reason}`);
          this.#events.next({ type: 'config.confirmed', path, removed, reason });
        },
        onRejected: () => {
          this.#logger.log(`${path}: the missing keys are back`);
          this.#events.next({ type: 'config.rejected', path });
        },
        onFailure: (error) => this.#failed(layer, error),
        onRecovered: () => this.#recovered(layer),
      });
      return layer;
    });
    if (snapshotDirectory !== undefined) {
      const scope = [...this.#client.scope, datacenter ?? null, options.format, ...paths];
      this.#snapshot = new ConfigSnapshot(snapshotDirectory, scope, (file, reason) => {
        this.#logger.warn(`snapshot ${file}: ${reason}`);
        this.#events.next({ type: 'snapshot.failed', file, reason });
      });
    }
  }

  /** The name at which `ConfigService` has the values; undefined: at the top. */
  get namespace(): string | undefined {
    return this.#options.namespace;
  }

  /** The values of the present version; frozen. */
  get values(): object {
    return this.#built?.values ?? {};
  }

  get version(): number {
    return this.#version;
  }

  /** What keeps edits from being used, and what is kept although Consul no longer has it. */
  get problems(): readonly ConfigProblem[] {
    const doubts = this.#layers.flatMap(({ path, doubt }) =>
      doubt === undefined ? [] : [{ key: path, reason: doubt }],
    );
    return [...this.#problems, ...doubts];
  }

  get state(): ConfigExplanation['state'] {
    if (!this.#layers.every(({ isRead }) => isRead)) return this.#savedAt === undefined ? 'defaults' : 'disk';
    return this.#failing.size > 0 ? 'stale' : 'live';
  }

  /**
   * Begins to follow Consul; the first request tells what has changed since the start. Nest calls it when the app is initialized: an app that
   * fails before that keeps no connection open.
   */
  watch(): void {
    if (this.#isWatching || this.#stopping.signal.aborted) return;
    this.#isWatching = true;
    for (const layer of this.#layers) void layer.watch(this.#stopping.signal);
  }

  /** `ConsulModule` is there. */
  connect(): void {
    this.#isConnected = true;
  }

  /** Without `ConsulModule` the decorators would do nothing, in silence. */
  warnIfUnconnected(): void {
    if (this.#isConnected) return;
    const used = decoratedClasses();
    if (used.length > 0)
      this.#warnOnce(
        `${used.join(', ')}: @ConfigValue and @OnConfigChange do nothing, since ConsulModule is not imported. Add ConsulModule.forRoot() to the root module`,
      );
  }

  /** Keeps an object up to date, in place. */
  addTarget(target: object): void {
    this.#targets.add(target);
  }

  removeTarget(target: object): void {
    this.#targets.remove(target);
  }

  explain(path: ConfigPath): Omit<ConfigExplanation, 'path'> {
    const built = this.#built;
    const secrets = new SecretValues(built?.raw, built?.secrets ?? new SecretPaths(this.#options.secrets));
    const names = path.map(String);
    // A position in a list, or a name below one, has the origin of the list.
    let found = built?.tree.find(names);
    let from = names;
    while (!found && from.length > 1) {
      from = from.slice(0, -1);
      const above = built?.tree.find(from);
      found = above?.leaf ? above : undefined;
    }
    return {
      value: secrets.redact(names, valueAt(this.values, names)),
      origins: [...(found?.leaves(from) ?? [])].map(({ path: at, leaf }) => ({
        path: formatConfigPath(at),
        value: secrets.redact(at, valueAt(this.values, at)),
        key: leaf.key,
        overrides: leaf.overrides.map((other) => ({
          key: other.key,
          value: secrets.redact(other.path, other.value),
        })),
      })),
      layers: this.#layers.map(({ path: layer, entries }) => ({ path: layer, keys: entries?.length })),
      version: this.#version,
      state: this.state,
      problems: this.problems,
    };
  }

  /** Ends the watches. The last values stay readable. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the configuration is closed'));
    this.#debounce.stop();
    this.#changes.complete();
    this.#events.complete();
    await this.#snapshot?.flush();
    await this.#client.close();
  }

  async #start(): Promise<void> {
    const saved = await this.#snapshot?.load();
    if (saved) {
      for (const { path, entries } of saved.layers)
        this.#layers.find((layer) => layer.path === path)?.seed(entries);
      // What it holds was good once: a layer that is broken now counts as it was then.
      await this.#builder.build(this.#keys());
    }
    const unread = await this.#readAll();
    this.#debounce.stop();
    const { built, problems } = await this.#builder.build(this.#keys());
    const [failure] = unread;
    if (failure && this.#options.startup === 'fail-fast') throw failure.error;
    let usable = built;
    if (!usable && saved) usable = await this.#buildFrom(saved.layers);
    if (!usable) throw this.#unusable(problems, failure);
    this.#savedAt = saved?.savedAt;
    this.#apply(usable);
    this.#report(problems);
    this.#logStart(failure);
    if (!failure && problems.length === 0) this.#snapshot?.save(this.#keys());
  }

  /** @returns the layers that could not be read, and why */
  async #readAll(): Promise<readonly { readonly path: string; readonly error: DiscoveryError }[]> {
    const timeout = new DiscoveryError(
      'RK_REGISTRY_TIMEOUT',
      `no response in ${this.#options.startupTimeoutMs} ms`,
      { hint: 'startupTimeout is how long the start of the app waits' },
    );
    return withScopedSignal(this.#stopping.signal, async (signal, end) => {
      setMaxListeners(0, signal);
      const cancel = this.#clock.after(this.#options.startupTimeoutMs, () => end(timeout));
      const results = await Promise.all(this.#layers.map((layer) => this.#readOne(layer, signal)));
      cancel();
      return results.flatMap((result) => result ?? []);
    });
  }

  async #readOne(
    layer: WatchedLayer,
    signal: AbortSignal,
  ): Promise<{ readonly path: string; readonly error: DiscoveryError } | undefined> {
    const { path } = layer;
    try {
      await layer.read(signal);
      if (!layer.isDenied) return undefined;
      const message = `the token may not read the keys below ${path}`;
      const error = new DiscoveryError('RK_ACL_DENIED', `configuration: ${message}`, {
        hint: `It needs key_prefix ${JSON.stringify(path)} { policy = "read" }`,
      });
      if (this.#options.startup !== 'fail-fast') this.#warnOnce(error.message);
      return this.#options.startup === 'fail-fast' ? { path, error } : undefined;
    } catch (error) {
      const code = error instanceof DiscoveryError ? error.code : 'RK_REGISTRY_ERROR';
      const message = `configuration: cannot read the keys below ${path}: ${errorMessage(error)}`;
      return { path, error: new DiscoveryError(code, message, { cause: error }) };
    }
  }

  async #buildFrom(layers: readonly LayerKeys[]): Promise<BuiltConfig | undefined> {
    return (await this.#builder.build(layers)).built;
  }

  #unusable(
    problems: readonly ConfigProblem[],
    failure: { readonly error: DiscoveryError } | undefined,
  ): Error {
    const lines =
      problems.map(({ key, reason }) => `\n  - ${key}: ${reason}`).join('') +
      `\n  read, keys of each tree: ${this.#describeLayers()}`;
    const count = problems.length === 1 ? '1 value is wrong' : `${problems.length} values are wrong`;
    if (!failure)
      return new DiscoveryError(
        'RK_CONFIG_INVALID',
        `The configuration from Consul cannot be used: ${count}${lines}`,
      );
    return new DiscoveryError(
      'RK_CONFIG_INVALID',
      `Without Consul there is no usable configuration: ${count}${lines}`,
      {
        hint: `Set defaults for these values, or snapshotDirectory for what was good last. ${failure.error.message}`,
        cause: failure.error,
      },
    );
  }

  #logStart(failure: { readonly error: DiscoveryError } | undefined): void {
    this.#logger.log(
      `configuration, keys of each tree, later ones override earlier ones: ${this.#describeLayers()}`,
    );
    if (failure) {
      const used =
        this.#savedAt === undefined
          ? 'using the defaults'
          : `using the keys of ${new Date(this.#savedAt).toISOString()} from disk`;
      this.#logger.warn(`${used} until Consul responds: ${failure.error.message}`);
    }
    const { format, dataKey } = this.#options;
    for (const { path, entries = [] } of this.#layers) {
      const ignored = ignoredKeys(path, entries, { format, dataKey });
      if (ignored.length === 0) continue;
      const known =
        format === 'files'
          ? 'known extensions: yml, yaml, json, properties'
          : `the format is ${format}, in the key ${path}${dataKey}`;
      this.#warnOnce(`ignored: ${ignored.slice(0, SHOWN_PATHS).join(', ')}; ${known}`);
    }
  }

  #describeLayers(): string {
    return this.#layers
      .map(
        ({ path, entries, isDenied }) =>
          `${path} (${isDenied ? 'not allowed' : (entries?.length ?? 'unread')})`,
      )
      .join(', ');
  }

  #warnOnce(message: string): void {
    if (this.#warnedOf.has(message)) return;
    this.#warnedOf.add(message);
    this.#logger.warn(message);
  }

  #keys(): LayerKeys[] {
    return this.#layers.map(({ path, entries = [] }) => ({ path, entries }));
  }

  /** One at a time: a change during a check leads to another one. */
  async #rebuild(): Promise<void> {
    this.#isOutdated = true;
    this.#rebuilding ??= this.#rebuildUntilCurrent().finally(() => (this.#rebuilding = undefined));
    await this.#rebuilding;
  }

  async #rebuildUntilCurrent(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#isOutdated && !isAborted(signal)) {
      this.#isOutdated = false;
      const keys = this.#keys();
      try {
        const { built, problems } = await this.#builder.build(keys);
        if (isAborted(signal)) return;
        this.#report(problems);
        if (built) this.#apply(built);
        if (built && problems.length === 0) this.#snapshot?.save(keys);
      } catch (error) {
        // Whatever a key may hold, it must not end the process.
        this.#report([{ key: 'schema', reason: `its result cannot be used: ${errorMessage(error)}` }]);
      }
    }
  }

  #apply(built: BuiltConfig): void {
    const previous = this.#built;
    const values = freezeValues(shareValues(previous?.values, built.values)) as object;
    this.#built = { ...built, values };
    this.#warnOfMisspelt(built.tree, values);
    if (previous?.values === values) return;
    const paths = changedPaths(previous?.values ?? {}, values).map(formatConfigPath);
    this.#version++;
    this.#targets.show(values);
    if (!previous) return;
    const more = paths.length > SHOWN_PATHS ? `, and ${paths.length - SHOWN_PATHS} more` : '';
    this.#logger.log(
      `configuration version ${this.#version}: changed ${paths.slice(0, SHOWN_PATHS).join(', ')}${more}`,
    );
    this.#changes.next({ version: this.#version, paths });
    this.#events.next({ type: 'config.changed', version: this.#version, paths });
  }

  /** A schema drops what it does not declare, which may be meant for another service; or is misspelt. */
  #warnOfMisspelt(tree: ConfigTree, values: object): void {
    for (const { key, close } of unusedValues(tree, values))
      if (close !== undefined)
        this.#warnOnce(`${key} is not used, since the schema has no such name; there is ${close}`);
  }

  /** Each problem once, and once that it is solved. */
  #report(problems: readonly ConfigProblem[]): void {
    const before = this.#problems;
    this.#problems = problems;
    const has = (list: readonly ConfigProblem[], { key, reason }: ConfigProblem): boolean =>
      list.some((other) => other.key === key && other.reason === reason);
    for (const problem of problems) {
      if (has(before, problem)) continue;
      this.#logger.error(`${problem.key} cannot be used, and the last good values stay: ${problem.reason}`);
      this.#events.next({ type: 'config.invalid', ...problem });
    }
    for (const key of new Set(before.map((problem) => problem.key))) {
      if (problems.some((problem) => problem.key === key)) continue;
      this.#logger.log(`${key} is no longer wrong`);
      this.#events.next({ type: 'config.valid', key });
    }
  }

  #failed(layer: WatchedLayer, error: unknown): void {
    const reason = errorMessage(error);
    const isFirst = this.#failing.size === 0;
    if (isFirst) this.#failingSince = this.#clock.now();
    this.#failing.add(layer);
    const kept = `version ${this.#version} stays in use, retrying`;
    if (isFirst || (isRefused(error) && this.#failure !== reason))
      this.#logger.warn(`cannot watch the keys below ${layer.path}, ${kept}: ${reason}`);
    this.#failure = reason;
    if (isFirst) this.#events.next({ type: 'config.stale', path: layer.path, reason });
  }

  #recovered(layer: WatchedLayer): void {
    if (!this.#failing.delete(layer) || this.#failing.size > 0) return;
    this.#failure = undefined;
    const afterMs = Math.round(this.#clock.now() - this.#failingSince);
    this.#logger.log(`the configuration is watched again, after ${afterMs} ms`);
    this.#events.next({ type: 'config.recovered', afterMs });
  }
}
