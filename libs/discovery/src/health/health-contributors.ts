import { Injectable, Logger } from '@nestjs/common';
import { DiscoveryService as ProviderScanner, MetadataScanner, Reflector } from '@nestjs/core';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { toMilliseconds } from '../configuration/duration.js';
import { providedInstances } from '../scanning/provided-instances.js';
import {
  HEALTH_CONTRIBUTOR,
  type HealthContributorOptions,
  type HealthGroup,
} from './health-contributor.decorator.js';

export interface Contributor {
  /** The key of its result when it fails before it has returned one. */
  readonly name: string;
  readonly groups: readonly HealthGroup[];
  /** In milliseconds; undefined: the default. */
  readonly timeout: number | undefined;
  run(): HealthIndicatorResult | PromiseLike<HealthIndicatorResult>;
}

/** Finds the `@HealthContributor()` methods of all modules. */
@Injectable()
export class HealthContributors {
  readonly #logger = new Logger(HealthContributors.name);
  #found: readonly Contributor[] | undefined;
  readonly #added: Contributor[] = [];

  constructor(
    private readonly providers: ProviderScanner,
    private readonly methods: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  /** The contributors of one group; undefined: those of liveness and readiness together. */
  of(group: HealthGroup | undefined): readonly Contributor[] {
    this.#found ??= [...this.#scan(), ...this.#added];
    const wanted: readonly HealthGroup[] = group ? [group] : ['liveness', 'readiness'];
    return this.#found.filter(({ groups }) => groups.some((each) => wanted.includes(each)));
  }

  /** The names of the custom groups. */
  customGroups(): readonly string[] {
    this.of(undefined);
    const all = (this.#found ?? []).flatMap(({ groups }) => groups);
    return [...new Set(all)].filter((group) => group !== 'liveness' && group !== 'readiness');
  }

  /** Adds a contributor that is not a method of a provider. */
  add(contributor: Contributor): void {
    this.#added.push(contributor);
    this.#found = undefined;
  }

  #scan(): Contributor[] {
    const { instances, requestScoped } = providedInstances(this.providers);
    for (const { prototype } of requestScoped) this.#warnRequestScoped(prototype as Record<string, unknown>);
    return [...instances].flatMap((instance) => {
      const prototype = Object.getPrototypeOf(instance) as Record<string, unknown> | null;
      if (!prototype) return [];
      return this.methods.getAllMethodNames(prototype).flatMap((method) => {
        const found = this.#contributor(instance as Record<string, unknown>, prototype, method);
        return found ? [found] : [];
      });
    });
  }

  /** A request-scoped provider does not exist when the registry runs its check. */
  #warnRequestScoped(prototype: Record<string, unknown>): void {
    for (const method of this.methods.getAllMethodNames(prototype)) {
      const run = prototype[method];
      if (typeof run !== 'function' || !this.reflector.get(HEALTH_CONTRIBUTOR, run)) continue;
      const name = `${prototype.constructor.name}.${method}`;
      this.#logger.warn(
        `${name} does not contribute to health: its provider is request-scoped. Move it to a singleton`,
      );
    }
  }

  #contributor(
    instance: Record<string, unknown>,
    prototype: Record<string, unknown>,
    method: string,
  ): Contributor | undefined {
    const run = prototype[method];
    if (typeof run !== 'function') return undefined;
    type Options = HealthContributorOptions & Required<Pick<HealthContributorOptions, 'groups'>>;
    const options = this.reflector.get<Options | undefined>(HEALTH_CONTRIBUTOR, run);
    return (
      options && {
        name: options.name ?? `${instance.constructor.name}.${method}`,
        groups: options.groups,
        timeout: options.timeout === undefined ? undefined : toMilliseconds(options.timeout, 'timeout'),
        run: () => (run as Contributor['run']).call(instance),
      }
    );
  }
}
