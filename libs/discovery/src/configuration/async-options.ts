import type { FactoryProvider, ModuleMetadata, Provider, Type } from '@nestjs/common';
import { invalidConfigError } from './validate-options.js';

/** What the `forRootAsync` of a registry's module takes: one of `useFactory`, `useClass`, `useExisting`. */
export interface AsyncOptions<Options, Factory> {
  imports?: ModuleMetadata['imports'];
  inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names.
  useFactory?: (...args: never[]) => Options | Promise<Options>;
  useClass?: Type<Factory>;
  useExisting?: Type<Factory>;
}

/** How a registry's module reads its options. */
export interface OptionsReader<Options, Factory> {
  /** For messages, such as `ConsulModule`. */
  readonly moduleName: string;
  /** Of the provider of the resolved options. */
  readonly token: symbol;
  /** Validates them. */
  readonly resolve: (options: Options) => unknown;
  /** Asks a class that makes them. */
  readonly create: (factory: Factory) => Options | Promise<Options>;
}

/** @throws DiscoveryError `RK_CONFIG_INVALID` for none of the three ways, or for several */
export function asyncOptionsProviders<Options, Factory>(
  { inject, useFactory, useClass, useExisting }: AsyncOptions<Options, Factory>,
  { moduleName, token, resolve, create }: OptionsReader<Options, Factory>,
): Provider[] {
  const ways = [useFactory, useClass, useExisting].filter((way) => way !== undefined);
  const factory = useClass ?? useExisting;
  if (ways.length !== 1 || (!useFactory && !factory)) {
    const field = 'useFactory, useClass, useExisting';
    const issue = { field, value: `${ways.length} of them`, hint: 'use exactly one' };
    throw invalidConfigError(`${moduleName}.forRootAsync`, [issue]);
  }
  if (useFactory) {
    const make = useFactory as (...args: unknown[]) => Options | Promise<Options>;
    const provide = async (...args: unknown[]): Promise<unknown> => resolve(await make(...args));
    return [{ provide: token, useFactory: provide, inject: inject ?? [] }];
  }
  return [
    ...(useClass ? [useClass] : []),
    {
      provide: token,
      useFactory: async (source: Factory) => resolve(await create(source)),
      inject: factory ? [factory] : [],
    },
  ];
}
