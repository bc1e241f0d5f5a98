import { NestFactory } from '@nestjs/core';
import { ServiceClientFactory, type ClientsOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import type { AxiosInstance } from 'axios';
import { rootModule } from '../e2e/test-app.js';

export interface ContractClient {
  readonly axiosRef: AxiosInstance;
  readonly close: () => Promise<void>;
}

/** A client of one instance. */
export async function contractClient(
  instance: { address: string; port: number; secure?: boolean },
  options: ClientsOptions = {},
): Promise<ContractClient> {
  const registry = new InMemoryRegistry();
  registry.put({ service: 'peer', ...instance });
  // A second attempt would be a second request, and an ejection would end them all.
  const clients = { retries: 0, outlierDetection: false, ...options } as const;
  const app = await NestFactory.createApplicationContext(
    rootModule([DiscoveryModule.forRootAsync({ useFactory: () => ({ registry, clients }) })]),
    { logger: false, abortOnError: false },
  );
  const { axiosRef } = app.get(ServiceClientFactory).create('peer');
  return { axiosRef, close: () => app.close() };
}
