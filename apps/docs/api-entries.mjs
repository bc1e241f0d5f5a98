// The public entries of the packages: of each there are pages on the site, and a report in `libs/*/api`.

/** @type {readonly (readonly [name: string, declarations: string])[]} */
export const API_ENTRIES = [
  ['@rookery/consul', 'consul/dist/index.d.ts'],
  ['@rookery/consul/client', 'consul/dist/client.d.ts'],
  ['@rookery/consul/config', 'consul/dist/config.d.ts'],
  ['@rookery/consul/openfeature', 'consul/dist/openfeature.d.ts'],
  ['@rookery/discovery', 'discovery/dist/index.d.ts'],
  ['@rookery/discovery/client', 'discovery/dist/client.d.ts'],
  ['@rookery/discovery/config', 'discovery/dist/config.d.ts'],
  ['@rookery/discovery/adapter', 'discovery/dist/adapter.d.ts'],
  ['@rookery/discovery/testing', 'discovery/dist/testing/index.d.ts'],
  ['@rookery/microservices/grpc', 'microservices/dist/grpc.d.ts'],
  ['@rookery/microservices/tcp', 'microservices/dist/tcp.d.ts'],
  ['@rookery/dashboard', 'dashboard/dist/index.d.ts'],
  ['@rookery/etcd', 'etcd/dist/index.d.ts'],
  ['@rookery/etcd/config', 'etcd/dist/config.d.ts'],
  ['@rookery/embedded-consul', 'embedded-consul/dist/index.d.ts'],
];
