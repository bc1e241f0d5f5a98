import { setMaxListeners } from 'node:events';
import { errorMessage } from '../../errors/error-message.js';
import { ReconnectSignal } from '../../registry/reconnect-signal.js';
import { isAborted, systemClock, type Clock } from '../../timing/clock.js';
import { Subject } from 'rxjs';
import type { ConfigNames, ConfigStore } from '../config-store.js';
import type { ConfigChange, ConfigExplanation } from '../config-change.js';
import type { ResolvedConfigOptions } from '../config-options.js';
import { formatConfigPath, type ConfigPath } from '../config-path.js';
import { decoratedClasses } from '../decorated-classes.js';
import type { ConfigProblem } from '../problem.js';
import { unusedValues } from '../unused-values.js';
import { changedPaths, freezeValues, shareValues } from '../values/plain-values.js';
import type { BuiltConfig, ConfigBuilder, LayerKeys } from './build-version.js';
import { ConfigReport } from './config-report.js';
import { ConfigSnapshot } from './config-snapshot.js';
import { ConfigTargets } from './config-targets.js';
import { createBuilder } from './create-builder.js';
import { Debounce } from './debounce.js';
import { explainValue } from './explain-value.js';
import { readFirst, type UnreadLayer } from './first-read.js';
import { describeLayers, ignoredKeyWarnings, unusableError } from './start-messages.js';
import { WatchedLayer } from './watched-layer.js';

/** Long enough for an app to start. */
const FRESH_MS = 10_000;

/** Values from a registry that follow every change there. One for each `consulConfig(...)` or `etcdConfig(...)` in use. */
export class LoadedConfig {
  readonly #options: ResolvedConfigOptions;
  readonly #clock: Clock;
  readonly #report: ConfigReport;
  readonly #store: ConfigStore;
  readonly #builder: ConfigBuilder;
  readonly #layers: readonly WatchedLayer[];
  readonly #snapshot: ConfigSnapshot | undefined;
  readonly #targets = new ConfigTargets();
  readonly #changes = new Subject<ConfigChange>();
  readonly #debounce: Debounce;
  readonly #stopping = new AbortController();
  #built: BuiltConfig | undefined;
  #version = 0;
  #readAt = -Infinity;
  /** When the keys from disk were saved; undefined: there are none. */
  #savedAt: number | undefined;
  #rebuilding: Promise<void> | undefined;
  #isOutdated = false;
  #isWatching = false;
  #isConnected = false;

  /** Every version, as it comes into use; the values are in place then. */
  readonly changes$ = this.#changes.asObservable();

  /**
   * Reads the configuration; `watch` follows it until `close`.
   *
   * @throws DiscoveryError `RK_CONFIG_INVALID` when the values cannot be used, and the error of the registry with `fail-fast`
   */
  static async load(options: ResolvedConfigOptions, clock: Clock = systemClock): Promise<LoadedConfig> {
    const config = new LoadedConfig(options, await createBuilder(options), clock);
    try {
      await config.#start();
    } catch (error) {
      await config.close();
      throw error;
    }
    return config;
  }

  private constructor(options: ResolvedConfigOptions, builder: ConfigBuilder, clock: Clock) {
    const { paths, snapshotDirectory, debounceMs } = options;
    this.#options = options;
    this.#clock = clock;
    this.#builder = builder;
    const report = (this.#report = new ConfigReport(clock));
    // Each tree listens to it, and Node warns of more than ten listeners.
    setMaxListeners(0, this.#stopping.signal);
    this.#store = options.openStore(paths.length, clock);
    this.#debounce = new Debounce(clock, debounceMs, () => {
      void this.#rebuild();
    });
    const reconnectSignal = new ReconnectSignal();
    const common = { store: this.#store, clock, random: Math.random, reconnectSignal };
    this.#layers = paths.map(
      (path) =>
        new WatchedLayer(path, {
          ...common,
          onChange: () => {
            // What is read at the start is used as a whole.
            if (this.#version > 0) this.#debounce.trigger();
          },
          onSuspect: (missing, reason) => report.suspect(path, missing, reason),
          onConfirmed: (removed, reason) => report.confirmed(path, removed, reason),
          onRejected: () => report.rejected(path),
          onFailure: (error) => report.failed(path, error, this.#version),
          onRecovered: () => report.recovered(path),
        }),
    );
    if (snapshotDirectory === undefined) return;
    const scope = [...this.#store.scope, options.format, ...paths];
    this.#snapshot = new ConfigSnapshot(snapshotDirectory, scope, (file, reason) =>
      report.snapshotFailed(file, reason),
    );
  }

  get events$(): ConfigReport['events$'] {
    return this.#report.events$;
  }

  get names(): ConfigNames {
    return this.#options.names;
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

  /** What keeps edits from being used, and what is kept although the registry no longer has it. */
  get problems(): readonly ConfigProblem[] {
    const doubts = this.#layers.flatMap(({ path, doubt }) =>
      doubt === undefined ? [] : [{ key: path, reason: doubt }],
    );
    return [...this.#report.problems, ...doubts];
  }

  get state(): ConfigExplanation['state'] {
    if (!this.#layers.every(({ isRead }) => isRead)) return this.#savedAt === undefined ? 'defaults' : 'disk';
    return this.#report.isFailing ? 'stale' : 'live';
  }

  /**
   * Begins to follow the registry; the first request tells what has changed since the start. Nest calls it when the app is initialized: an app that
   * fails before that keeps no connection open.
   */
  watch(): void {
    if (this.#isWatching || this.#stopping.signal.aborted) return;
    this.#isWatching = true;
    for (const layer of this.#layers) void layer.watch(this.#stopping.signal);
  }

  /** Reads it again, unless it is watched: an app before this one may have failed to start, long ago. */
  async refresh(): Promise<void> {
    const isFresh = this.#clock.now() - this.#readAt < FRESH_MS;
    if (this.#isWatching || isFresh || this.#stopping.signal.aborted) return;
    this.#readAt = this.#clock.now();
    await readFirst(this.#layers, this.#clock, this.#options.startupTimeoutMs, this.#stopping.signal);
    await this.#rebuild();
  }

  /** The module is there. */
  connect(): void {
    this.#isConnected = true;
  }

  /** Without the module the decorators would do nothing, in silence. */
  warnIfUnconnected(): void {
    if (this.#isConnected) return;
    const { module } = this.names;
    const used = decoratedClasses();
    if (used.length > 0)
      this.#report.warnOnce(
        `${used.join(', ')}: @ConfigValue and @OnConfigChange do nothing, since ${module} is not imported. Add ${module}.forRoot() to the root module`,
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
    return {
      ...(this.#built ? explainValue(this.#built, path) : { value: undefined, origins: [] }),
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
    this.#report.close();
    await this.#snapshot?.flush();
    await this.#store.close();
  }

  async #start(): Promise<void> {
    const { startup, startupTimeoutMs } = this.#options;
    const saved = await this.#snapshot?.load();
    for (const { path, entries } of saved?.layers ?? [])
      this.#layers.find((layer) => layer.path === path)?.seed(entries);
    // What it holds was good once: a layer that is broken now counts as it was then.
    if (saved) await this.#builder.build(this.#keys());
    this.#readAt = this.#clock.now();
    const unread = await readFirst(this.#layers, this.#clock, startupTimeoutMs, this.#stopping.signal);
    if (unread[0] && startup === 'fail-fast') throw unread[0].error;
    for (const { error } of unread.filter(({ isDenied }) => isDenied)) this.#report.warnOnce(error.message);
    const failure = unread.find(({ isDenied }) => !isDenied);
    const { built, problems } = await this.#builder.build(this.#keys());
    const usable = built ?? (saved && (await this.#builder.build(saved.layers)).built);
    if (!usable) throw unusableError(this.names.registry, problems, this.#layers, failure);
    this.#savedAt = saved?.savedAt;
    this.#apply(usable);
    this.#report.checked(problems);
    this.#logStart(failure);
    if (unread.length === 0 && problems.length === 0) this.#snapshot?.save(this.#keys());
  }

  #logStart(failure: UnreadLayer | undefined): void {
    const order = describeLayers(this.#layers);
    this.#report.log(`configuration, keys of each tree, later ones override earlier ones: ${order}`);
    if (failure) {
      const savedAt = this.#savedAt === undefined ? undefined : new Date(this.#savedAt).toISOString();
      const used = savedAt === undefined ? 'the defaults' : `the keys of ${savedAt} from disk`;
      this.#report.warnOnce(`using ${used} until ${this.names.registry} responds: ${failure.error.message}`);
    }
    for (const warning of ignoredKeyWarnings(this.#layers, this.#options)) this.#report.warnOnce(warning);
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
      const isWhole = this.#layers.every(({ entries }) => entries !== undefined);
      try {
        const { built, problems } = await this.#builder.build(keys);
        if (isAborted(signal)) return;
        this.#report.checked(problems);
        if (built) this.#apply(built);
        // A tree that was never read would be an empty one to the next start.
        if (built && problems.length === 0 && isWhole) this.#snapshot?.save(keys);
      } catch (error) {
        // Whatever a key may hold, it must not end the process.
        const reason = `its result cannot be used: ${errorMessage(error)}`;
        this.#report.checked([{ key: 'schema', reason }]);
      }
    }
  }

  #apply(built: BuiltConfig): void {
    const previous = this.#built;
    const values = freezeValues(shareValues(previous?.values, built.values)) as object;
    this.#built = { ...built, values };
    // A schema drops what it does not declare, which may be meant for another service; or is misspelt.
    for (const { key, close } of unusedValues(built.tree, values))
      if (close !== undefined)
        this.#report.warnOnce(`${key} is not used, since the schema has no such name; there is ${close}`);
    if (previous?.values === values) return;
    const changed = changedPaths(previous?.values ?? {}, values);
    const paths = changed.map(formatConfigPath);
    this.#version++;
    this.#targets.show(values);
    if (!previous) return;
    const shown = changed.map((path) => formatConfigPath(built.secrets.withoutSecretNames(path)));
    this.#report.changed(this.#version, [...new Set(shown)]);
    this.#changes.next({ version: this.#version, paths });
  }
}
