import type { ExampleContext } from './example-compiler.js';

/** What examples use that an app has. */
const APP = `
  export * as http from 'node:http';
  export declare const app: import('@nestjs/common').INestApplication;
  export declare class AppModule {}
  export declare class AdminGuard { canActivate(): boolean; }
  export declare class Catalog { constructor(inventory: import('@nestjs/axios').HttpService); }
  export declare const BooksClient: import('@grpc/grpc-js').ServiceClientConstructor;
  export interface Book { id: string; title: string }
  export declare const cachedBooks: readonly Book[];
  export declare const consul: import('@rookery/consul').ConsulClient;
  export declare const database: { query(sql: string, values: readonly unknown[]): Promise<void> };
  export declare const discovery: import('@rookery/consul').DiscoveryService;
  export declare const elections: import('@rookery/consul').LeaderElections;
  export declare const events: import('@rookery/consul').DiscoveryEvents;
  export declare function exportBooks(signal: AbortSignal): Promise<void>;
  export declare const kv: import('@rookery/consul').ConsulKv;
  export interface Limits { rate: number; connections?: number }
  export declare const lock: import('@rookery/consul').Lock;
  export declare const locks: import('@rookery/consul').LockService;
  export declare function notify(options: { signal: AbortSignal }): Promise<void>;
  export declare const order: { id: string };
  export declare const position: number;
  export declare const PROTO: string;
  export declare const registration: import('@rookery/consul').RegistrationService;
  export interface ReviewsService { find(query: { book: number }): import('rxjs').Observable<object> }
  export declare const session: import('@rookery/consul').ConsulSession;
  export declare function show(value: unknown): void;
  export declare const startMySource: Parameters<typeof import('@rookery/discovery/testing').sourceContract>[0];
  export declare const stock: { modifyIndex: number };
  export declare const user: { id: string };
  export interface Worker { queues: string[] }
`;
const IN_EXAMPLES = [
  ...APP.matchAll(/export (?:declare )?(?:const|class|function|interface) (\w+)/g),
].flatMap(([, name]) => name ?? []);

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
    hostname: 'node:os',
    http: '../app.js',
    InMemoryRegistry: '@rookery/discovery/testing',
    sourceContract: '@rookery/discovery/testing',
    ...Object.fromEntries(IN_EXAMPLES.map((name) => [name, '../app.js'])),
    eventually: '@rookery/test-support',
  },
  files: {
    'app.ts': APP,
    'libs-consul-docs-leaders-md/orders.ts': "export { Orders } from '../../../e2e/orders.js';",
  },
  declarations: {
    'libs/consul/docs/configuration.md': `
      declare const config: import('@rookery/consul/config').ConsulConfig;`,
    'libs/consul/docs/keys.md': `
      declare const seen: (number | undefined)[];`,
    'libs/consul/docs/leaders.md': `
      declare const seen: (number | undefined)[];
      declare const url: string;
      declare function work(signal: AbortSignal): Promise<void>;
      declare function share(workers: readonly object[]): void;`,
    'libs/consul/docs/locks.md': `
      declare function query(sql: string, values: readonly unknown[]): Promise<{ affectedRows: number }>;`,
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
      declare const Library: import('@grpc/grpc-js').ServiceClientConstructor;
      interface Found { title: string }
      interface Answered { title: string }
      interface LibraryService { find(query: { title: string }): import('rxjs').Observable<Found>; }`,
  },
};
