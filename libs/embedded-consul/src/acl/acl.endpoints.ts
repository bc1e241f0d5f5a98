import { randomUUID } from 'node:crypto';
import { tokenOf, type Core, type Endpoint } from '../core.js';
import { ApiError, badRequest, serverError } from '../http/api-error.js';
import { decodeBody, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { goAny, goArray, goBool, goString, type GoStruct } from '../json/go-json-decoder.js';
import type { Authorizer, Policy, Token } from './acl-store.js';
import type { Resource } from './rules.js';

export const aclEndpoints: readonly Endpoint[] = [
  { path: '/v1/acl/bootstrap', methods: { PUT: bootstrap } },
  { path: '/v1/acl/policy', methods: { PUT: createPolicy } },
  { path: '/v1/acl/policy/', methods: { PUT: updatePolicy } },
  { path: '/v1/acl/policies', methods: { GET: policies } },
  { path: '/v1/acl/token', methods: { PUT: createToken } },
  { path: '/v1/acl/token/', methods: { GET: readToken, DELETE: deleteToken } },
  { path: '/v1/acl/token/self', methods: { GET: ownToken } },
  { path: '/v1/acl/tokens', methods: { GET: tokens } },
  { path: '/v1/internal/acl/authorize', methods: { POST: authorize } },
];

const link: GoStruct = {
  kind: 'struct',
  name: 'structs.ACLTokenPolicyLink',
  errorName: 'ACLTokenPolicyLink',
  fields: { ID: goString, Name: goString },
};
const tokenType: GoStruct = {
  kind: 'struct',
  name: 'structs.ACLToken',
  errorName: '',
  fields: {
    AccessorID: goString,
    SecretID: goString,
    Description: goString,
    Policies: goArray(link),
    Roles: goAny,
    ServiceIdentities: goAny,
    Local: goBool,
    ExpirationTTL: goAny,
    Type: goString,
    Rules: goString,
  },
};
const policyType: GoStruct = {
  kind: 'struct',
  name: 'structs.ACLPolicy',
  errorName: '',
  fields: {
    ID: goString,
    Name: goString,
    Description: goString,
    Rules: goString,
    Datacenters: goArray(goString),
  },
};

const authorizationType: GoStruct = {
  kind: 'struct',
  name: 'structs.ACLAuthorizationRequest',
  errorName: 'ACLAuthorizationRequest',
  fields: { Resource: goString, Access: goString, Segment: goString },
};
const NAMED_RESOURCES: readonly Resource[] = ['agent', 'event', 'key', 'node', 'query', 'service', 'session'];

function requireAcl(core: Core): void {
  if (!core.acl.enabled) throw new ApiError(401, 'ACL support disabled');
}

function requireAccess(core: Core, request: ApiRequest, wanted: 'read' | 'write'): void {
  requireAcl(core);
  const read = request.method === 'GET';
  const authorizer = read ? core.serversAuthorizer(request) : core.authorizer(request);
  if (!authorizer.mayAcl(wanted)) throw new ApiError(403, 'Permission denied', read);
}

function bootstrap(core: Core): ApiReply {
  requireAcl(core);
  if (core.acl.bootstrapped) {
    throw new ApiError(
      403,
      `Permission denied: ACL bootstrap no longer allowed (reset index: ${core.indexes.last})`,
    );
  }
  core.acl.bootstrapped = true;
  const [management] = [...core.acl.policies.keys()];
  const token = core.acl.addToken({
    description: 'Bootstrap Token (Global Management)',
    policies: management ? [management] : [],
    createIndex: core.indexes.next(),
  });
  return { json: { ID: token.secret, ...render(core, token) } };
}

function render(core: Core, token: Token): Record<string, unknown> {
  return {
    AccessorID: token.accessor,
    SecretID: token.secret,
    Description: token.description,
    Policies: token.policies.map((id) => ({ ID: id, Name: core.acl.policies.get(id)?.name ?? '' })),
    Local: token.local,
    CreateTime: token.createdAt,
    Hash: Buffer.from(token.accessor).toString('base64'),
    CreateIndex: token.createIndex,
    ModifyIndex: token.createIndex,
  };
}

interface PolicyBody {
  readonly ID?: string;
  readonly Name?: string;
  readonly Description?: string;
  readonly Rules?: string;
}

function createPolicy(core: Core, request: ApiRequest): ApiReply {
  requireAccess(core, request, 'write');
  const body = decodeBody(request, policyType, 'Policy decoding failed: ') as PolicyBody;
  return writePolicy(core, body, undefined);
}

function updatePolicy(core: Core, request: ApiRequest): ApiReply {
  requireAccess(core, request, 'write');
  const body = decodeBody(request, policyType, 'Policy decoding failed: ') as PolicyBody;
  if (body.ID && body.ID !== request.rest) throw badRequest('Policy ID in URL and payload do not match');
  const existing = core.acl.policies.get(request.rest);
  if (!existing) throw serverError('Invalid Policy: Policy does not exist');
  return writePolicy(core, body, existing);
}

function writePolicy(core: Core, body: PolicyBody, existing: Policy | undefined): ApiReply {
  const name = body.Name ?? '';
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(name)) {
    throw serverError(
      'Invalid Policy: invalid Name. Only alphanumeric characters, a "-" and "_" are allowed',
    );
  }
  if ([...core.acl.policies.values()].some((policy) => policy !== existing && policy.name === name)) {
    throw serverError(`Invalid Policy: A Policy with Name ${JSON.stringify(name)} already exists`);
  }
  const index = core.indexes.next();
  const policy: Policy = {
    id: existing?.id ?? randomUUID(),
    name,
    description: body.Description ?? '',
    rules: body.Rules ?? '',
    createIndex: existing?.createIndex ?? index,
  };
  core.acl.addPolicy(policy);
  return {
    json: {
      ID: policy.id,
      Name: name,
      Description: policy.description,
      Rules: policy.rules,
      Hash: Buffer.from(policy.id).toString('base64'),
      CreateIndex: policy.createIndex,
      ModifyIndex: index,
    },
  };
}

function policies(core: Core, request: ApiRequest): ApiReply {
  requireAccess(core, request, 'read');
  const list = [...core.acl.policies.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    json: list.map(({ id, name, description, createIndex }) => ({
      ID: id,
      Name: name,
      Description: description,
      CreateIndex: createIndex,
      ModifyIndex: createIndex,
    })),
  };
}

function createToken(core: Core, request: ApiRequest): ApiReply {
  requireAccess(core, request, 'write');
  const body = decodeBody(request, tokenType, 'Token decoding failed: ') as {
    SecretID?: string;
    Description?: string;
    Policies?: { ID?: string; Name?: string }[];
    Local?: boolean;
    Roles?: unknown;
    ServiceIdentities?: unknown;
  };
  if (body.Roles ?? body.ServiceIdentities) {
    throw new ApiError(501, 'embedded-consul: roles and service identities are not implemented');
  }
  const ids = (body.Policies ?? []).map(({ ID, Name }) => {
    const found = [...core.acl.policies.values()].find((policy) =>
      ID ? policy.id === ID : policy.name === Name,
    );
    if (!found) throw serverError(`No such ACL policy with name ${JSON.stringify(Name ?? ID ?? '')}`);
    return found.id;
  });
  const token = core.acl.addToken({
    ...(body.SecretID ? { secret: body.SecretID } : {}),
    description: body.Description ?? '',
    local: body.Local ?? false,
    policies: ids,
    createIndex: core.indexes.next(),
  });
  return { json: render(core, token) };
}

function readToken(core: Core, request: ApiRequest): ApiReply {
  requireAccess(core, request, 'read');
  const token = core.acl.byAccessor(request.rest);
  if (!token) throw new ApiError(403, 'ACL not found');
  return { json: render(core, token) };
}

function ownToken(core: Core, request: ApiRequest): ApiReply {
  requireAcl(core);
  const token = core.acl.tokens.get(tokenOf(request));
  if (!token) throw new ApiError(403, 'ACL not found');
  return { json: render(core, token) };
}

function deleteToken(core: Core, request: ApiRequest): ApiReply {
  requireAccess(core, request, 'write');
  if (request.rest === '') throw badRequest('Missing token ID');
  const token = core.acl.byAccessor(request.rest);
  if (token) core.acl.tokens.delete(token.secret);
  core.indexes.next();
  return { json: true };
}

function tokens(core: Core, request: ApiRequest): ApiReply {
  requireAccess(core, request, 'read');
  return { json: [...core.acl.tokens.values()].map((token) => render(core, token)) };
}

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
