import { isDeepStrictEqual } from 'node:util';
import type { FactoryProvider } from '@nestjs/common';
import { DiscoveryError } from '@rookery/discovery';

/** Filled by the decorators when their classes are loaded, and read by Nest when it scans the modules. */
export const declaredClients: FactoryProvider[] = [];

const optionsOf = new Map<unknown, object>();

/** @throws DiscoveryError `RK_CONFIG_INVALID` when the same client is declared with other options */
export function declareClient(provider: FactoryProvider, options: object): void {
  const known = optionsOf.get(provider.provide);
  if (known === undefined) {
    optionsOf.set(provider.provide, options);
    declaredClients.push(provider);
  } else if (!isDeepStrictEqual(known, options)) {
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      `${String(provider.provide)}: declared twice, with different options`,
      {
        hint: 'One client serves all: share its options in a constant, or make another one with GrpcClients.create',
      },
    );
  }
}
