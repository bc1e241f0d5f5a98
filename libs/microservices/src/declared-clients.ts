import { isDeepStrictEqual } from 'node:util';
import type { FactoryProvider } from '@nestjs/common';
import { DiscoveryError } from '@rookery/discovery';

/** Filled by a decorator when classes are loaded, and read by Nest when it scans the modules. */
export class DeclaredClients {
  readonly providers: FactoryProvider[] = [];
  readonly #options = new Map<unknown, object>();
  readonly #create: string;

  /** @param create the method that makes another client, for the hint */
  constructor(create: string) {
    this.#create = create;
  }

  /** @throws DiscoveryError `RK_CONFIG_INVALID` when the same client is declared with other options */
  declare(provider: FactoryProvider, options: object): void {
    const known = this.#options.get(provider.provide);
    if (known === undefined) {
      this.#options.set(provider.provide, options);
      this.providers.push(provider);
      return;
    }
    if (isDeepStrictEqual(known, options)) return;
    const twice = `${String(provider.provide)}: declared twice, with different options`;
    throw new DiscoveryError('RK_CONFIG_INVALID', twice, {
      hint: `One client serves all: share its options in a constant, or make another one with ${this.#create}`,
    });
  }
}
