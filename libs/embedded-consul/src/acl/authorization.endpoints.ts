import type { Core, Endpoint } from '../core.js';
import { badRequest } from '../http/api-error.js';
import { decodeBody, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { goArray, goString, type GoStruct } from '../json/go-json-decoder.js';
import { requireAcl } from './acl-access.js';
import type { Authorizer } from './acl-store.js';
import type { Resource } from './rules.js';

export const authorizationEndpoints: readonly Endpoint[] = [
  { path: '/v1/internal/acl/authorize', methods: { POST: authorize } },
];

const authorizationType: GoStruct = {
  kind: 'struct',
  name: 'structs.ACLAuthorizationRequest',
  errorName: 'ACLAuthorizationRequest',
  fields: { Resource: goString, Access: goString, Segment: goString },
};
const NAMED_RESOURCES: readonly Resource[] = ['agent', 'event', 'key', 'node', 'query', 'service', 'session'];

interface AuthorizationBody {
  readonly Resource?: string;
  readonly Access?: string;
  readonly Segment?: string;
}

/** Which rights a token has; Consul's UI asks it. */
function authorize(core: Core, request: ApiRequest): ApiReply {
  requireAcl(core);
  const prefix = 'Bad request: Failed to decode request body: ';
  const type = goArray(authorizationType, '[]structs.ACLAuthorizationRequest');
  const asked = decodeBody(request, type, prefix) as readonly AuthorizationBody[];
  const authorizer = core.authorizer(request);
  return {
    json: asked.map(({ Resource = '', Access = '', Segment = '' }) => ({
      Resource,
      ...(Segment === '' ? {} : { Segment }),
      Access,
      Allow: isAllowed(authorizer, Resource, Access, Segment),
    })),
  };
}

function isAllowed(authorizer: Authorizer, resource: string, access: string, segment: string): boolean {
  const isNamed = NAMED_RESOURCES.find((name) => name === resource);
  if (isNamed === undefined && resource !== 'acl' && resource !== 'operator')
    throw badRequest(`Bad request: Invalid ACL resource requested: ${JSON.stringify(resource)}`);
  if (access !== 'read' && access !== 'write' && !(access === 'list' && resource === 'key'))
    throw badRequest(`Bad request: Invalid access level for ${resource} resource: ${access}`);
  if (isNamed !== undefined) return authorizer.may(isNamed, segment, access);
  const wanted = access === 'write' ? 'write' : 'read';
  return resource === 'acl' ? authorizer.mayAcl(wanted) : authorizer.mayOperator(wanted);
}
