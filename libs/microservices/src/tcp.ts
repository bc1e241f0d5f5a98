// Clients of Nest's TCP transport by the name of a service.
export { TcpDiscoveryModule } from './tcp/tcp-discovery.module.js';
export { getMicroserviceClientToken, MicroserviceClient } from './tcp/microservice-client.decorator.js';
export type { MicroserviceClientDecorator } from './tcp/microservice-client.decorator.js';
export { DiscoveryClientProxy } from './tcp/discovery-client-proxy.js';
export type { DiscoveryClientOptions } from './tcp/discovery-client-proxy.js';
export type { TcpConnectionOptions } from './tcp/instance-client.js';
export { TcpClients } from './tcp/tcp-clients.js';
