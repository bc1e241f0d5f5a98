import { createHash, randomUUID } from 'node:crypto';
import type { Core, Endpoint } from '../core.js';
import { badRequest, readError, serverError } from '../http/api-error.js';
import { decodeBody, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { goAny, goArray, goInt, goString, type GoStruct } from '../json/go-json-decoder.js';
import { isAclName, isUuid, NO_UUID, readAcl, requireAcl, requireAclWrite } from './acl-access.js';
import { MANAGEMENT_POLICY, POLICIES, type Policy } from './acl-store.js';
import { RulesError } from './rules.js';

export const policyEndpoints: readonly Endpoint[] = [
  { path: '/v1/acl/policies', methods: { GET: list } },
  { path: '/v1/acl/policy', methods: { PUT: write } },
  { path: '/v1/acl/policy/', methods: { GET: read, PUT: write, DELETE: remove } },
  { path: '/v1/acl/policy/name/', methods: { GET: readByName } },
];

/** With the fields that only a server sets: Go clients send them. */
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
    Hash: goAny,
    CreateIndex: goInt,
    ModifyIndex: goInt,
  },
};

interface PolicyBody {
  readonly ID?: string;
  readonly Name?: string;
  readonly Description?: string;
  readonly Rules?: string;
  readonly Datacenters?: readonly string[];
}

function render(policy: Policy, withRules: boolean): Record<string, unknown> {
  const { id, name, description, rules, datacenters, createIndex, modifyIndex } = policy;
  const hash = createHash('sha256').update(JSON.stringify([name, description, rules, datacenters]));
  return {
    ID: id,
    Name: name,
    Description: description,
    ...(withRules ? { Rules: rules } : {}),
    // A list has it in any case.
    ...(datacenters !== undefined || !withRules ? { Datacenters: datacenters ?? null } : {}),
    Hash: hash.digest('base64'),
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  };
}

async function list(core: Core, request: ApiRequest): Promise<ApiReply> {
  requireAcl(core);
  return readAcl(core, request, POLICIES, () =>
    [...core.acl.policies.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((policy) => render(policy, false)),
  );
}

async function read(core: Core, request: ApiRequest): Promise<ApiReply> {
  requireAcl(core);
  const id = request.rest;
  if (id === '') throw badRequest('Bad request: Missing policy ID');
  return readAcl(core, request, POLICIES, () => {
    if (id.length !== 36) throw readError(`failed acl policy lookup: ${NO_UUID}`);
    const found = core.acl.policies.get(id);
    return found && render(found, true);
  });
}

async function readByName(core: Core, request: ApiRequest): Promise<ApiReply> {
  requireAcl(core);
  if (request.rest === '') throw badRequest('Bad request: Missing policy Name');
  return readAcl(core, request, POLICIES, () => {
    const found = core.acl.policyNamed(request.rest);
    return found && render(found, true);
  });
}

function write(core: Core, request: ApiRequest): ApiReply {
  requireAcl(core);
  const body = decodeBody(request, policyType, 'Bad request: Policy decoding failed: ') as PolicyBody;
  const id = request.rest;
  if (id === '' && body.ID) throw badRequest('Bad request: Cannot specify the ID when creating a new policy');
  if (id !== '' && body.ID && body.ID !== id)
    throw badRequest('Bad request: Policy ID in URL and payload do not match');
  requireAclWrite(core, request);
  core.requireLeader();
  const name = body.Name ?? '';
  if (name === '') throw serverError('Invalid Policy: no Name is set');
  if (!isAclName(name))
    throw serverError("Invalid Policy: invalid Name. Only alphanumeric characters, '-' and '_' are allowed");
  const existing = existingPolicy(core, id, name);
  const rules = body.Rules ?? '';
  if (existing?.id === MANAGEMENT_POLICY && rules !== existing.rules)
    throw serverError('Changing the Rules for the builtin global-management policy is not permitted');
  const index = core.indexes.last + 1;
  const policy: Policy = {
    id: existing?.id ?? randomUUID(),
    name,
    description: body.Description ?? '',
    rules,
    datacenters: body.Datacenters,
    createIndex: existing?.createIndex ?? index,
    modifyIndex: index,
  };
  put(core, policy);
  return { json: render(policy, true) };
}

function existingPolicy(core: Core, id: string, name: string): Policy | undefined {
  if (id !== '' && !isUuid(id)) throw serverError('Policy ID invalid UUID');
  const existing = core.acl.policies.get(id);
  if (id !== '' && !existing) throw serverError(`cannot find policy ${id}`);
  const namesake = core.acl.policyNamed(name);
  if (namesake && namesake !== existing)
    throw serverError(
      // Consul words it in two ways.
      `Invalid Policy: A ${existing ? 'policy with name' : 'Policy with Name'} ${JSON.stringify(name)} already exists`,
    );
  return existing;
}

function put(core: Core, policy: Policy): void {
  try {
    core.acl.putPolicy(policy);
  } catch (error) {
    throw error instanceof RulesError ? serverError(error.message) : error;
  }
  core.indexes.next();
}

function remove(core: Core, request: ApiRequest): ApiReply {
  requireAcl(core);
  const id = request.rest;
  if (id === '') throw badRequest('Bad request: Missing policy ID');
  requireAclWrite(core, request);
  core.requireLeader();
  if (id.length !== 36) throw serverError(`failed acl policy lookup: ${NO_UUID}`);
  if (id === MANAGEMENT_POLICY)
    throw serverError('Delete operation not permitted on the builtin global-management policy');
  core.acl.deletePolicy(id);
  return { json: true };
}
