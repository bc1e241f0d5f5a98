import type { Core, Endpoint } from '../core.js';
import { ApiError, badRequest, permissionDenied, serverError } from '../http/api-error.js';
import { has, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { readOptions } from '../state/blocking-query.js';
import { applyKvOperation, type KvOutcome } from './kv-operations.js';
import { KV, type KvRecord } from './kv-store.js';

export const kvEndpoints: readonly Endpoint[] = [
  { path: '/v1/kv/', methods: { GET: get, PUT: put, DELETE: remove } },
];

const LARGEST_VALUE = 524_288;

export function renderKv(entry: KvRecord, withValue = true): Record<string, unknown> {
  return {
    LockIndex: entry.lockIndex,
    Key: entry.key,
    Flags: entry.flags,
    Value: withValue && entry.value.length > 0 ? entry.value.toString('base64') : null,
    ...(entry.session ? { Session: entry.session } : {}),
    CreateIndex: entry.createIndex,
    ModifyIndex: entry.modifyIndex,
  };
}

async function get(core: Core, request: ApiRequest): Promise<ApiReply> {
  const key = request.rest;
  if (has(request, 'keys')) return listKeys(core, request, key);
  if (has(request, 'recurse')) return listTree(core, request, key);
  if (key === '') {
    readOptions(request);
    throw badRequest('Missing key name');
  }
  const authorizer = core.authorizer(request);
  if (!authorizer.may('key', key, 'read')) throw permissionDenied();
  const { body, headers } = await core.read(
    request,
    () => [KV],
    () => ({
      index: core.kv.keyIndex(key),
      body: core.kv.get(key),
    }),
  );
  if (!body) return { status: 404, headers };
  if (!has(request, 'raw')) return { headers, json: [renderKv(body)] };
  return {
    headers: {
      ...headers,
      'Content-Type': 'text/plain',
      'Content-Security-Policy': 'sandbox',
      'X-Content-Type-Options': 'nosniff',
    },
    bytes: body.value,
  };
}

async function listTree(core: Core, request: ApiRequest, prefix: string): Promise<ApiReply> {
  const { body, headers } = await readBelow(core, request, prefix);
  return body.length === 0
    ? { status: 404, headers }
    : { headers, json: body.map((entry) => renderKv(entry)) };
}

async function listKeys(core: Core, request: ApiRequest, prefix: string): Promise<ApiReply> {
  const separator = parameter(request, 'separator');
  const { body, headers } = await readBelow(core, request, prefix);
  const names = body.map(({ key }) => {
    const at = separator ? key.indexOf(separator, prefix.length) : -1;
    return at < 0 ? key : key.slice(0, at + separator.length);
  });
  // The root always has a list, possibly an empty one.
  if (names.length === 0 && prefix !== '') return { status: 404, headers };
  return { headers, json: [...new Set(names)] };
}

function readBelow(
  core: Core,
  request: ApiRequest,
  prefix: string,
): Promise<{ body: KvRecord[]; headers: Record<string, string> }> {
  const authorizer = core.authorizer(request);
  return core.read(
    request,
    () => [KV],
    () => ({
      index: core.kv.prefixIndex(prefix),
      body: core.kv.list(prefix).filter(({ key }) => authorizer.may('key', key, 'read')),
    }),
  );
}

function put(core: Core, request: ApiRequest): ApiReply {
  const key = request.rest;
  readOptions(request);
  if (key === '') throw badRequest('Missing key name');
  refuseConflicts(request, ['cas', 'acquire', 'release']);
  const flags = has(request, 'flags') ? unsigned(parameter(request, 'flags')) : 0n;
  const cas = has(request, 'cas') ? unsigned(parameter(request, 'cas')) : undefined;
  if (request.body.length > LARGEST_VALUE) {
    throw new ApiError(
      413,
      `Request body(${request.body.length} bytes) too large, max size: ${LARGEST_VALUE} bytes. ` +
        'See https://www.consul.io/docs/agent/options.html#kv_max_value_size.',
    );
  }
  core.datacenter(request);
  if (!core.authorizer(request).may('key', key, 'write')) throw permissionDenied();
  const verb = has(request, 'acquire')
    ? 'lock'
    : has(request, 'release')
      ? 'unlock'
      : cas === undefined
        ? 'set'
        : 'cas';
  const session = parameter(request, verb === 'lock' ? 'acquire' : 'release');
  if (verb === 'lock' || verb === 'unlock') {
    if (session === '') throw serverError('missing session');
  }
  const outcome = commit(core, {
    verb,
    key,
    value: request.body,
    flags,
    index: Number(cas ?? 0n),
    session,
  });
  // For a lock only a wrong session is an error; that another session holds it is a result.
  if (verb === 'lock' && outcome.error?.includes('session')) throw serverError(outcome.error);
  return { json: outcome.applied };
}

function remove(core: Core, request: ApiRequest): ApiReply {
  const key = request.rest;
  readOptions(request);
  refuseConflicts(request, ['recurse', 'cas']);
  const recurse = has(request, 'recurse');
  if (key === '' && !recurse) throw badRequest('Missing key name');
  const cas = has(request, 'cas') ? unsigned(parameter(request, 'cas')) : undefined;
  core.datacenter(request);
  const authorizer = core.authorizer(request);
  const allowed = recurse
    ? core.kv.list(key).every((entry) => authorizer.may('key', entry.key, 'write')) &&
      authorizer.may('key', key, 'write')
    : authorizer.may('key', key, 'write');
  if (!allowed) throw permissionDenied();
  const existing = core.kv.get(key);
  if (cas === 0n && existing) return { json: false };
  const verb = recurse ? 'delete-tree' : cas === undefined ? 'delete' : 'delete-cas';
  return {
    json: commit(core, {
      verb,
      key,
      value: Buffer.alloc(0),
      flags: 0n,
      index: Number(cas ?? 0n),
      session: '',
    }).applied,
  };
}

function commit(core: Core, operation: Parameters<typeof applyKvOperation>[3]): KvOutcome {
  core.requireLeader();
  const before = core.kv.get(operation.key);
  const index = core.indexes.last + 1;
  const outcome = applyKvOperation(core.kv, core.sessions, index, operation);
  const changed =
    outcome.applied &&
    (operation.verb === 'delete-tree'
      ? (outcome.wrote ?? []).length > 0
      : core.kv.get(operation.key) !== before);
  if (changed) {
    core.indexes.next();
    core.indexes.changed(index, [KV]);
  }
  return outcome;
}

function refuseConflicts(request: ApiRequest, names: readonly string[]): void {
  const given = names.filter((name) => has(request, name));
  if (given.length < 2) return;
  // As Go writes a query: sorted by name.
  const query = [...request.query]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  throw badRequest(`Conflicting flags: ${request.method === 'DELETE' ? query.join('&') : rawQuery(request)}`);
}

function rawQuery(request: ApiRequest): string {
  return [...request.query].map(([name, value]) => `${name}=${value}`).join('&');
}

function unsigned(text: string): bigint {
  if (/^\d+$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text);
  const reason = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
  throw serverError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${reason}`);
}
