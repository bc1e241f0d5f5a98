import { experimentalApi, type GrpcJs } from './experimental-api.js';
import { ServiceBalancerConfig, serviceBalancer } from './service-balancer.js';
import { POLICY } from './service-config.js';
import { SCHEME, serviceResolver } from './service-resolver.js';

/**
 * Makes a copy of @grpc/grpc-js understand `rookery:NAME`. Once for each copy.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a version that cannot
 */
export function setUp(grpc: GrpcJs): void {
  const experimental = experimentalApi(grpc);
  experimental.registerResolver(SCHEME, serviceResolver(grpc));
  experimental.registerLoadBalancerType(POLICY, serviceBalancer(grpc, experimental), ServiceBalancerConfig);
}
