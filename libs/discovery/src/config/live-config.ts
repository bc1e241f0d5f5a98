import { Injectable, Logger } from '@nestjs/common';
import { DiscoveryError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import { NamesItsModule } from '../errors/provided-by.js';
import { IsolatedObservable } from '../events/isolated-observable.js';
import { closeNames } from '../spelling/close-names.js';
import { defer, distinctUntilChanged, map, merge, startWith, type Observable } from 'rxjs';
import type { ConfigChange, ConfigExplanation } from './config-change.js';
import { formatConfigPath, parseConfigPath, type ConfigPath } from './config-path.js';
import type { LoadedConfig } from './live/loaded-config.js';
import type { ConfigProblem } from './problem.js';
import { valueAt } from './values/plain-values.js';

/**
 * The values that `consulConfig(...)` or `etcdConfig(...)` loads, as they are at present. Its paths are those of `ConfigService`. Injectable
 * where `ConsulModule` or `EtcdModule` is imported: as `ConsulConfig` from `@rookery/consul/config`, as `EtcdConfig` from `@rookery/etcd/config`.
 *
 * @example
 * ```ts
 * constructor(config: ConsulConfig) {
 *   config.watch<number>('limits.rate').subscribe((rate) => this.limiter.setRate(rate ?? 100));
 * }
 * ```
 */
@Injectable()
@NamesItsModule()
export class LiveConfig {
  readonly #sources: readonly LoadedConfig[];

  /** Every version that comes into use after the first one. A subscriber that throws is logged, and does not affect the others. */
  readonly changes$: Observable<ConfigChange>;

  constructor(sources: readonly LoadedConfig[]) {
    this.#sources = sources;
    const changes = sources.map((source) =>
      source.changes$.pipe(
        map((change) => ({ ...change, paths: change.paths.map((path) => below(source, path)) })),
      ),
    );
    this.changes$ = isolated(merge(...changes), 'changes$');
  }

  /** The value at a path such as `limits.rate`, frozen; without a path, all of them. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as `ConfigService.get`
  get<T = unknown>(path = ''): T | undefined {
    const { source, rest } = this.#find(path);
    return valueAt(source.values, rest) as T | undefined;
  }

  /** @throws DiscoveryError `RK_NOT_FOUND` when there is no value */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as `ConfigService.getOrThrow`
  getOrThrow<T = unknown>(path: string): T {
    const value = this.get<T>(path);
    if (value !== undefined) return value;
    const close = this.closePaths(path);
    throw new DiscoveryError('RK_NOT_FOUND', `there is no configuration value "${path}"`, {
      hint: close.length > 0 ? `There is ${close.join(', ')}` : 'explain(path) tells which keys are read',
    });
  }

  /** The paths of values that someone may have meant, closest first. */
  closePaths(path: string): readonly string[] {
    const known = this.#sources.flatMap((source) =>
      pathsIn(source.values).map((names) => below(source, formatConfigPath(names))),
    );
    return closeNames(path, known);
  }

  /**
   * The value now, and each later one; only when it differs. A subscriber that throws is logged, called again with the next
   * value, and does not affect the others.
   */
  watch<T = unknown>(path = ''): Observable<T | undefined> {
    const { source, rest } = this.#find(path);
    const values = defer(() =>
      source.changes$.pipe(
        startWith(undefined),
        // Of an unchanged part every version has the same object.
        map(() => valueAt(source.values, rest) as T | undefined),
        distinctUntilChanged(),
      ),
    );
    return isolated(values, `watch('${path}')`);
  }

  /** Which key gave the value, what it overrides, and what keeps a later edit from being used. Secrets are not shown. */
  explain(path = ''): ConfigExplanation {
    const { source, rest } = this.#find(path);
    const explanation = source.explain(rest);
    const origins = explanation.origins.map((origin) => ({ ...origin, path: below(source, origin.path) }));
    return { path, ...explanation, origins };
  }

  /** What keeps edits from being used: broken content, and trees that may have been lost. Empty: nothing. */
  get problems(): readonly ConfigProblem[] {
    return this.#sources.flatMap(({ problems }) => problems);
  }

  #find(path: string): { source: LoadedConfig; rest: ConfigPath } {
    const names = path === '' ? [] : parsed(path);
    const named = this.#sources.find(({ namespace }) => namespace !== undefined && namespace === names[0]);
    const source = named ?? this.#sources.find(({ namespace }) => namespace === undefined);
    if (source) return { source, rest: named ? names.slice(1) : names };
    const registered = this.#sources.map(({ namespace }) => namespace).join(', ');
    throw new DiscoveryError('RK_CONFIG_INVALID', `no configuration has the path "${path}"`, {
      hint:
        this.#sources.length === 0
          ? 'Load one: ConfigModule.forRoot({ load: [consulConfig({ ... })] }), or etcdConfig({ ... })'
          : `Every path begins with what registerAs names: ${registered}`,
    });
  }
}

function below({ namespace }: LoadedConfig, path: string): string {
  if (namespace === undefined) return path;
  return path.startsWith('[') || path === '' ? namespace + path : `${namespace}.${path}`;
}

function parsed(path: string): ConfigPath {
  try {
    return parseConfigPath(path);
  } catch (error) {
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `path ${JSON.stringify(path)}: ${errorMessage(error)}`, {
      hint: "Use a path such as 'limits.rate'",
    });
  }
}

function isolated<T>(values: Observable<T>, where: string): Observable<T> {
  const logger = new Logger('LiveConfig');
  return new IsolatedObservable(values, (error) =>
    logger.error(`a subscriber of ${where} threw: ${errorMessage(error)}`),
  );
}

/** Of every value, and of everything that contains one. */
function pathsIn(values: unknown, path: readonly string[] = []): string[][] {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return [];
  return Object.entries(values).flatMap(([name, part]) => [
    [...path, name],
    ...pathsIn(part, [...path, name]),
  ]);
}
