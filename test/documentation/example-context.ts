import type { ExampleContext } from './example-compiler.js';

/** What an app that an example is a part of has, so that the example need not say it again. */
export const CONTEXT: ExampleContext = {
  modules: [
    ...['@rookery/consul', '@rookery/consul/client', '@rookery/consul/config', '@rookery/consul/openfeature'],
    ...['@rookery/microservices/grpc', '@rookery/microservices/tcp', '@rookery/dashboard'],
    ...['@rookery/etcd', '@rookery/etcd/config', '@rookery/embedded-consul'],
    ...['@nestjs/common', '@nestjs/core', '@nestjs/axios', '@nestjs/config', '@nestjs/terminus'],
    ...['@nestjs/microservices', '@nestjs/testing', '@nestjs/schedule', 'rxjs'],
  ],
  names: {
    z: 'zod',
    OpenFeature: '@openfeature/server-sdk',
    credentials: '@grpc/grpc-js',
    it: '@jest/globals',
    Orders: './orders.js',
    eventually: '@rookery/test-support',
  },
  files: { 'libs-consul-docs-leaders-md/orders.ts': "export { Orders } from '../../../e2e/orders.js';" },
  declarations: {
    'libs/consul/docs/configuration.md': `
      declare const app: import('@nestjs/common').INestApplication;
      declare const config: import('@rookery/consul/config').ConsulConfig;
      declare const user: { id: string };`,
    'libs/consul/docs/connecting.md': "declare const consul: import('@rookery/consul').ConsulClient;",
    'libs/consul/docs/keys.md': `
      declare const kv: import('@rookery/consul').ConsulKv;
      declare const seen: (number | undefined)[];`,
    'libs/consul/docs/leaders.md': `
      declare const elections: import('@rookery/consul').LeaderElections;
      declare const locks: import('@rookery/consul').LockService;
      declare const session: import('@rookery/consul').ConsulSession;
      declare const seen: (number | undefined)[];
      declare const url: string;
      declare function work(signal: AbortSignal): Promise<void>;
      declare function share(workers: readonly object[]): void;`,
    'libs/consul/docs/locks.md': `
      declare const lock: import('@rookery/consul').Lock;
      declare const position: number;
      declare function query(sql: string, values: readonly unknown[]): Promise<{ affectedRows: number }>;`,
    'libs/dashboard/README.md': 'declare class AdminGuard { canActivate(): boolean; }',
    'libs/discovery/docs/balancing.md': 'declare class AppModule {}',
    'libs/discovery/docs/clients.md': "declare const discovery: import('@rookery/consul').DiscoveryService;",
    'libs/discovery/docs/health.md': 'declare class Pool { query(sql: string): Promise<void>; }',
    'libs/discovery/docs/testing.md': `
      interface StartedContainer { getHost(): string; getMappedPort(port: number): number; }
      declare class GenericContainer {
        constructor(image: string);
        withExposedPorts(...ports: number[]): this;
        withCommand(command: string[]): this;
        withWaitStrategy(strategy: object): this;
        start(): Promise<StartedContainer>;
      }
      declare const Wait: { forHttp(path: string, port: number): object };`,
    'libs/discovery/docs/registry-adapter.md': `
      declare const startWithInstances: Parameters<typeof import('@rookery/discovery/testing').sourceContract>[0];
      declare const start: Parameters<typeof import('@rookery/discovery/testing').registryContract>[0];`,
    'libs/microservices/README.md': `
      declare const PROTO: string;
      declare const discovery: import('@rookery/consul').DiscoveryService;
      declare const Library: import('@grpc/grpc-js').ServiceClientConstructor;
      interface Found { title: string }
      interface Answered { title: string }
      interface LibraryService { find(query: { title: string }): import('rxjs').Observable<Found>; }`,
  },
};
