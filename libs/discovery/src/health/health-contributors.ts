import { Injectable, Logger } from '@nestjs/common';
import { DiscoveryService as ProviderScanner, MetadataScanner, Reflector } from '@nestjs/core';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import {
  HEALTH_CONTRIBUTOR,
  type HealthContributorOptions,
  type HealthGroup,
} from './health-contributor.decorator.js';

export interface Contributor {
  /** `Class.method`, to name it when it has no result of its own. */
  readonly name: string;
  readonly groups: readonly HealthGroup[];
  run(): HealthIndicatorResult | PromiseLike<HealthIndicatorResult>;
}

/** Finds the `@HealthContributor()` methods of all modules. */
@Injectable()
export class HealthContributors {
  readonly #logger = new Logger(HealthContributors.name);
  #found: readonly Contributor[] | undefined;

  constructor(
    private readonly providers: ProviderScanner,
    private readonly methods: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  of(group: HealthGroup | undefined): readonly Contributor[] {
    this.#found ??= this.#scan();
    return group ? this.#found.filter(({ groups }) => groups.includes(group)) : this.#found;
  }

  #scan(): Contributor[] {
    const wrappers = [...this.providers.getProviders(), ...this.providers.getControllers()];
    return wrappers.flatMap((wrapper) => {
      const instance: unknown = wrapper.instance;
      if (typeof instance !== 'object' || instance === null) return [];
      const prototype = Object.getPrototypeOf(instance) as Record<string, unknown> | null;
      if (!prototype) return [];
      if (!wrapper.isDependencyTreeStatic()) {
        this.#refuse(prototype);
        return [];
      }
      return this.methods.getAllMethodNames(prototype).flatMap((method) => {
        const found = this.#contributor(instance as Record<string, unknown>, prototype, method);
        return found ? [found] : [];
      });
    });
  }

  /** A provider of a request does not exist when the registry asks. */
  #refuse(prototype: Record<string, unknown>): void {
    for (const method of this.methods.getAllMethodNames(prototype)) {
      const run = prototype[method];
      if (typeof run !== 'function' || !this.reflector.get(HEALTH_CONTRIBUTOR, run)) continue;
      const name = `${prototype.constructor.name}.${method}`;
      this.#logger.warn(
        `${name} takes no part in health: its provider is request-scoped. Move it to a singleton`,
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
    const options = this.reflector.get<Required<HealthContributorOptions> | undefined>(
      HEALTH_CONTRIBUTOR,
      run,
    );
    return (
      options && {
        name: `${instance.constructor.name}.${method}`,
        groups: options.groups,
        run: () => (run as Contributor['run']).call(instance),
      }
    );
  }
}
