import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServiceClientFactory, type ClientsOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import type { AxiosInstance } from 'axios';
import type { ContractCase, Way } from './case.js';

export interface ContractClient {
  readonly axiosRef: AxiosInstance;
  readonly close: () => Promise<void>;
}

@Module({})
class ContractModule {}

/** A client of one instance. */
export async function contractClient(
  instance: { address: string; port: number; secure?: boolean },
  options: ClientsOptions = {},
): Promise<ContractClient> {
  const registry = new InMemoryRegistry();
  registry.put({ service: 'peer', ...instance });
  // A second attempt would be a second request, and an ejection would end them all.
  const clients = { retries: 0, outlierDetection: false, ...options } as const;
  const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients }) });
  const app = await NestFactory.createApplicationContext(
    { module: ContractModule, imports: [discovery] },
    { logger: false, abortOnError: false },
  );
  const { axiosRef } = app.get(ServiceClientFactory).create('peer');
  return { axiosRef, close: () => app.close() };
}

export function waysOf(axiosRef: AxiosInstance): Record<Way, AxiosInstance> {
  return {
    lean: axiosRef,
    // An instance that axios makes of it has the core of axios, and the adapter of the client.
    core: axiosRef.create(),
    // With an option that is left to axios's own transport.
    transport: axiosRef.create({ insecureHTTPParser: false }),
  };
}

/** Whether the case shows a documented difference by this way. */
export function differs(
  { differs: difference, differsBy }: Pick<ContractCase, 'differs' | 'differsBy'>,
  way: Way,
): boolean {
  return difference !== undefined && (differsBy ?? [way]).includes(way);
}
