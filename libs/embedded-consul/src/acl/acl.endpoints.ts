import { MANAGEMENT_POLICY } from './acl-store.js';
import { authorizationEndpoints } from './authorization.endpoints.js';
import { requireAcl } from './acl-access.js';
import { policyEndpoints } from './policy.endpoints.js';
import { renderToken, tokenEndpoints } from './token.endpoints.js';
import { ApiError } from '../http/api-error.js';
import type { ApiReply } from '../http/api-request.js';
import type { Core, Endpoint } from '../core.js';

export const aclEndpoints: readonly Endpoint[] = [
  { path: '/v1/acl/bootstrap', methods: { PUT: bootstrap } },
  ...policyEndpoints,
  ...tokenEndpoints,
  ...authorizationEndpoints,
];

/** The first management token. */
function bootstrap(core: Core): ApiReply {
  requireAcl(core);
  const { acl, indexes } = core;
  if (acl.bootstrapIndex !== undefined) {
    throw new ApiError(
      403,
      `Permission denied: ACL bootstrap no longer allowed (reset index: ${acl.bootstrapIndex})`,
    );
  }
  core.requireLeader();
  const index = indexes.next();
  const token = {
    ...acl.newToken(index),
    description: 'Bootstrap Token (Global Management)',
    policies: [MANAGEMENT_POLICY],
  };
  acl.bootstrapIndex = index;
  acl.putToken(token);
  return { json: { ID: token.secret, ...renderToken(core, token) } };
}
