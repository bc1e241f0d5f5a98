// gRPC clients by the name of a service. Importing it makes @grpc/grpc-js understand `rookery:NAME`.
import { installed } from './grpc/experimental-api.js';
import { setUp } from './grpc/set-up.js';

setUp(installed);

export { GrpcDiscoveryModule } from './grpc/grpc-discovery.module.js';
export { GrpcServiceClient, getGrpcServiceClientToken } from './grpc/grpc-service-client.decorator.js';
export type { GrpcServiceClientDecorator } from './grpc/grpc-service-client.decorator.js';
export type { GrpcServiceClientOptions } from './grpc/grpc-service-client.options.js';
export { GrpcClients } from './grpc/grpc-clients.js';
export { discoveryCredentials } from './grpc/discovery-credentials.js';
export { discoveryChannel } from './grpc/discovery-channel.js';
export type { DiscoveryChannelOptions } from './grpc/discovery-channel.js';
export { callInterceptor } from './grpc/call-interceptor.js';
export type { CallInterceptorOptions } from './grpc/call-interceptor.js';
export type { GrpcCallOptions } from './grpc/grpc-call-options.js';
export { HASH_KEY } from './grpc/service-picker.js';
