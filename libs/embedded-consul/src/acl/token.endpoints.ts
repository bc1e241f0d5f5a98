import { createHash } from 'node:crypto';
import { tokenOf, type Core, type Endpoint } from '../core.js';
import { ApiError, badRequest, readError, serverError } from '../http/api-error.js';
import { decodeBody, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { formatGoDuration } from '../json/go-duration.js';
import {
  goAny,
  goArray,
  goBool,
  goDuration,
  goInt,
  goString,
  type GoStruct,
} from '../json/go-json-decoder.js';
import { isUuid, NO_UUID, readAcl, readAclOf, requireAcl, requireAclWrite } from './acl-access.js';
import { ANONYMOUS_TOKEN, TOKENS, type ServiceIdentity, type Token } from './acl-store.js';

export const tokenEndpoints: readonly Endpoint[] = [
  { path: '/v1/acl/tokens', methods: { GET: list } },
  { path: '/v1/acl/token', methods: { PUT: write } },
  { path: '/v1/acl/token/', methods: { GET: read, PUT: write, DELETE: remove } },
  { path: '/v1/acl/token/self', methods: { GET: readOwn } },
];

const SHORTEST_LIFE_MS = 60_000;
const LONGEST_LIFE_MS = 24 * 3_600_000;

const link = (errorName: string): GoStruct => ({
  kind: 'struct',
  name: `structs.${errorName}`,
  errorName,
  fields: { ID: goString, Name: goString },
});
/** With the fields that only a server sets: Go clients send them. */
const tokenType: GoStruct = {
  kind: 'struct',
  name: 'structs.ACLToken',
  errorName: '',
  fields: {
    AccessorID: goString,
    SecretID: goString,
    Description: goString,
    Policies: goArray(link('ACLTokenPolicyLink')),
    Roles: goArray(link('ACLTokenRoleLink')),
    ServiceIdentities: goArray({
      kind: 'struct',
      name: 'structs.ACLServiceIdentity',
      errorName: 'ACLServiceIdentity',
      fields: { ServiceName: goString, Datacenters: goArray(goString) },
    }),
    NodeIdentities: goAny,
    Rules: goString,
    Local: goBool,
    AuthMethod: goString,
    ExpirationTime: goAny,
    ExpirationTTL: goDuration,
    CreateTime: goAny,
    Hash: goAny,
    CreateIndex: goInt,
    ModifyIndex: goInt,
  },
};

interface Link {
  readonly ID?: string;
  readonly Name?: string;
}

interface TokenBody {
  readonly AccessorID?: string;
  readonly SecretID?: string;
  readonly Description?: string;
  readonly Policies?: readonly Link[];
  readonly Roles?: readonly Link[];
  readonly ServiceIdentities?: readonly Partial<ServiceIdentity>[];
  readonly Rules?: string;
  readonly Local?: boolean;
  readonly AuthMethod?: string;
  readonly ExpirationTime?: unknown;
  /** In milliseconds. */
  readonly ExpirationTTL?: number;
}

export function renderToken(core: Core, token: Token, withSecret = true): Record<string, unknown> {
  const { policies, identities } = token;
  const hash = createHash('sha256').update(
    JSON.stringify([token.description, policies, identities, token.local]),
  );
  // A policy that was deleted is gone from its tokens.
  const known = policies.flatMap((id) => core.acl.policies.get(id) ?? []);
  return {
    AccessorID: token.accessor,
    ...(withSecret ? { SecretID: token.secret } : {}),
    Description: token.description,
    ...(known.length > 0 ? { Policies: known.map(({ id, name }) => ({ ID: id, Name: name })) } : {}),
    ...(identities.length > 0 ? { ServiceIdentities: identities } : {}),
    Local: token.local,
    ...(token.expiration ? { ExpirationTime: token.expiration.at } : {}),
    CreateTime: token.createdAt,
    Hash: hash.digest('base64'),
    CreateIndex: token.createIndex,
    ModifyIndex: token.modifyIndex,
  };
}

async function list(core: Core, request: ApiRequest): Promise<ApiReply> {
  requireAcl(core);
  const policy = parameter(request, 'policy');
  // There are none here: nothing has them.
  const isOfNone = parameter(request, 'role') !== '' || parameter(request, 'authmethod') !== '';
  return readAcl(core, request, TOKENS, () =>
    core.acl.tokens
      .filter(({ policies }) => !isOfNone && (policy === '' || policies.includes(policy)))
      .map((token) => renderToken(core, token, false)),
  );
}

async function read(core: Core, request: ApiRequest): Promise<ApiReply> {
  requireAcl(core);
  const accessor = request.rest;
  if (accessor === '') throw badRequest('Bad request: Missing token ID');
  return readAcl(core, request, TOKENS, () => {
    if (accessor.length !== 36) throw readError(`failed acl token lookup: ${NO_UUID}`);
    const token = core.acl.byAccessor(accessor);
    if (!token) return undefined;
    const rendered = renderToken(core, token);
    return core.authorizer(request).mayAcl('write') ? rendered : { ...rendered, SecretID: '<hidden>' };
  });
}

/** Needs no right: it is what the token shows of itself. */
async function readOwn(core: Core, request: ApiRequest): Promise<ApiReply> {
  requireAcl(core);
  return readAclOf(core, request, TOKENS, () => {
    const token = core.acl.bySecret(tokenOf(request));
    return token && renderToken(core, token);
  });
}

function write(core: Core, request: ApiRequest): ApiReply {
  requireAcl(core);
  const [, cloned] = /^(.+)\/clone$/.exec(request.rest) ?? [];
  const body = decodeBody(request, tokenType, 'Bad request: Token decoding failed: ') as TokenBody;
  if (cloned !== undefined) return clone(core, request, cloned, body);
  const accessor = request.rest;
  if (accessor !== '' && body.AccessorID && body.AccessorID !== accessor)
    throw badRequest('Bad request: Token Accessor ID in URL and payload do not match');
  requireAclWrite(core, request);
  core.requireLeader();
  const existing = accessor === '' ? undefined : tokenToChange(core, accessor, body);
  if (!existing) validateNew(core, body);
  const index = core.indexes.last + 1;
  const made = existing ?? core.acl.newToken(index);
  const expiration = existing ? existing.expiration : expirationOf(core, body);
  const token: Token = {
    ...made,
    ...(existing ? {} : { accessor: body.AccessorID || made.accessor, secret: body.SecretID || made.secret }),
    description: body.Description ?? '',
    local: body.Local ?? false,
    policies: policiesOf(core, body),
    identities: identitiesOf(body),
    ...(expiration ? { expiration } : {}),
    modifyIndex: index,
  };
  return put(core, token);
}

function put(core: Core, token: Token): ApiReply {
  core.indexes.next();
  core.acl.putToken(token);
  return { json: renderToken(core, token) };
}

function tokenToChange(core: Core, accessor: string, body: TokenBody): Token {
  if (accessor.length !== 36)
    throw serverError(`Failed acl token lookup by accessor: failed acl token lookup: ${NO_UUID}`);
  const token = core.acl.byAccessor(accessor);
  if (!token) throw serverError(`Cannot find token ${JSON.stringify(accessor)}`);
  if (body.SecretID && body.SecretID !== token.secret)
    throw serverError('Changing a tokens SecretID is not permitted');
  if ((body.Local ?? false) !== token.local) throw serverError(`cannot toggle local mode of ${accessor}`);
  return token;
}

function validateNew(core: Core, { AccessorID, SecretID, AuthMethod }: TokenBody): void {
  if (AccessorID) {
    if (AccessorID.length !== 36)
      throw serverError(`Failed acl token lookup by accessor: failed acl token lookup: ${NO_UUID}`);
    if (!isUuid(AccessorID)) throw serverError('Invalid Token: AccessorID is not a valid UUID');
    if (core.acl.byAccessor(AccessorID)) throw serverError('Invalid Token: AccessorID is already in use');
  }
  if (SecretID) {
    if (!isUuid(SecretID)) throw serverError('Invalid Token: SecretID is not a valid UUID');
    if (core.acl.bySecret(SecretID)) throw serverError('Invalid Token: SecretID is already in use');
  }
  if (AuthMethod) throw serverError('AuthMethod field is disallowed outside of Login');
}

function expirationOf(core: Core, { ExpirationTTL, ExpirationTime }: TokenBody): Token['expiration'] {
  const now = Date.now();
  const untilMs =
    ExpirationTTL || (typeof ExpirationTime === 'string' ? Date.parse(ExpirationTime) - now : 0);
  if (!untilMs) return undefined;
  if (untilMs < 0) throw serverError('ExpirationTime cannot be before CreateTime');
  const outOfRange = (bound: string): ApiError =>
    serverError(`ExpirationTime cannot be ${bound} in the future (was ${formatGoDuration(untilMs)})`);
  if (untilMs < SHORTEST_LIFE_MS) throw outOfRange('less than 1m0s');
  if (untilMs > LONGEST_LIFE_MS) throw outOfRange('more than 24h0m0s');
  return { at: new Date(now + untilMs).toISOString(), clockMs: core.options.clock.now() + untilMs };
}

function policiesOf(core: Core, { Policies = [], Roles = [], Rules }: TokenBody): string[] {
  const ids = Policies.map(({ ID, Name = '' }) => {
    if (ID && ID.length !== 36)
      throw serverError(
        `Error looking up policy for id ${JSON.stringify(ID)}: failed acl policy lookup: ${NO_UUID}`,
      );
    const found = ID ? core.acl.policies.get(ID) : core.acl.policyNamed(Name);
    if (!found)
      throw serverError(
        `No such ACL policy with ${ID ? `ID ${JSON.stringify(ID)}` : `name ${JSON.stringify(Name)}`}`,
      );
    return found.id;
  });
  if (Roles.length > 0) throw new ApiError(501, 'embedded-consul: roles are not implemented');
  if (Rules) throw serverError('Rules cannot be specified for this token');
  return [...new Set(ids)];
}

function identitiesOf({ ServiceIdentities = [], Local }: TokenBody): ServiceIdentity[] {
  return ServiceIdentities.map(({ ServiceName = '', Datacenters }) => {
    const quoted = JSON.stringify(ServiceName);
    if (ServiceName === '')
      throw serverError('Service identity is missing the service name field on this token');
    if (Local && Datacenters && Datacenters.length > 0)
      throw serverError(`Service identity ${quoted} cannot specify a list of datacenters on a local token`);
    if (!/^[a-z0-9]([a-z0-9\-_]*[a-z0-9])?$/.test(ServiceName) || ServiceName.length > 256)
      throw serverError(
        `Service identity ${quoted} has an invalid name. Only alphanumeric characters, '-' and '_' are allowed`,
      );
    return { ServiceName, ...(Datacenters && Datacenters.length > 0 ? { Datacenters } : {}) };
  });
}

/** The same rights under another secret. */
function clone(core: Core, request: ApiRequest, accessor: string, body: TokenBody): ApiReply {
  requireAclWrite(core, request);
  core.requireLeader();
  const original = core.acl.byAccessor(accessor);
  if (!original) throw new ApiError(403, 'ACL not found');
  const { policies, identities, local, description, expiration } = original;
  return put(core, {
    ...core.acl.newToken(core.indexes.last + 1),
    policies,
    identities,
    local,
    description: body.Description || description,
    ...(expiration ? { expiration } : {}),
  });
}

function remove(core: Core, request: ApiRequest): ApiReply {
  requireAcl(core);
  const accessor = request.rest;
  if (accessor === '') throw badRequest('Bad request: Missing token ID');
  requireAclWrite(core, request);
  core.requireLeader();
  if (!isUuid(accessor)) throw serverError('Accessor ID is missing or an invalid UUID');
  if (accessor === ANONYMOUS_TOKEN)
    throw serverError('Delete operation not permitted on the anonymous token');
  const own = core.acl.bySecret(tokenOf(request));
  if (own?.accessor === accessor)
    throw serverError("Deletion of the request's authorization token is not permitted");
  core.acl.deleteToken(accessor);
  return { json: true };
}
