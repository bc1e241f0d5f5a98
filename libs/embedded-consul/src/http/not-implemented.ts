import type { Endpoint } from '../core.js';
import { ApiError } from './api-error.js';

/** What a real 1.8 answers and this agent does not, with the methods it takes. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  '/v1/acl/replication': ['GET'],
  '/v1/acl/roles': ['GET'],
  '/v1/acl/role': ['PUT'],
  '/v1/acl/role/name/': ['GET'],
  '/v1/acl/role/': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/binding-rules': ['GET'],
  '/v1/acl/binding-rule': ['PUT'],
  '/v1/acl/binding-rule/': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/auth-methods': ['GET'],
  '/v1/acl/auth-method': ['PUT'],
  '/v1/acl/auth-method/': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/rules/translate': ['POST'],
  '/v1/acl/rules/translate/': ['GET'],
  '/v1/acl/login': ['POST'],
  '/v1/acl/logout': ['POST'],
  '/v1/acl/create': ['PUT'],
  '/v1/acl/update': ['PUT'],
  '/v1/acl/destroy/': ['PUT'],
  '/v1/acl/info/': ['GET'],
  '/v1/acl/clone/': ['PUT'],
  '/v1/acl/list': ['GET'],
  '/v1/agent/host': ['GET'],
  '/v1/agent/monitor': ['GET'],
  '/v1/agent/join/': ['PUT'],
  '/v1/agent/connect/authorize': ['POST'],
  '/v1/agent/connect/ca/leaf/': ['GET'],
  '/v1/catalog/gateway-services/': ['GET'],
  '/v1/config/': ['GET', 'DELETE'],
  '/v1/config': ['PUT'],
  '/v1/connect/ca/configuration': ['GET', 'PUT'],
  '/v1/connect/intentions': ['GET', 'POST'],
  '/v1/connect/intentions/match': ['GET'],
  '/v1/connect/intentions/check': ['GET'],
  '/v1/connect/intentions/exact': ['GET', 'PUT', 'DELETE'],
  '/v1/connect/intentions/': ['GET', 'PUT', 'DELETE'],
  '/v1/discovery-chain/': ['GET', 'POST'],
  '/v1/health/ingress/': ['GET'],
  '/v1/internal/federation-states': ['GET'],
  '/v1/internal/federation-states/mesh-gateways': ['GET'],
  '/v1/internal/federation-state/': ['GET'],
  '/v1/internal/ui/nodes': ['GET'],
  '/v1/internal/ui/node/': ['GET'],
  '/v1/internal/ui/services': ['GET'],
  '/v1/internal/ui/gateway-services-nodes/': ['GET'],
  '/v1/operator/raft/peer': ['DELETE'],
  '/v1/operator/keyring': ['GET', 'POST', 'PUT', 'DELETE'],
  '/v1/operator/autopilot/health': ['GET'],
  '/v1/snapshot': ['GET', 'PUT'],
};

/** Such a path answers 501 with a sentence: nothing is taken and dropped in silence. */
export const notImplementedEndpoints: readonly Endpoint[] = Object.entries(LEFT_OUT).map(
  ([path, methods]) => ({
    path,
    ignoresNamespace: true,
    methods: Object.fromEntries(
      methods.map((method) => [
        method,
        (core) => {
          if (path.startsWith('/v1/acl/') && !core.acl.enabled)
            throw new ApiError(401, 'ACL support disabled');
          throw new ApiError(501, `embedded-consul: ${method} ${path} is not implemented`);
        },
      ]),
    ),
  }),
);
