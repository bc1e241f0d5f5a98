import { randomUUID } from 'node:crypto';
import type { Core, Endpoint } from '../core.js';
import { ApiError, badRequest, permissionDenied, readError, serverError } from '../http/api-error.js';
import { decodeBody, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { goArray, goDuration, goString, type GoStruct } from '../json/go-json-decoder.js';
import { parseGoDuration } from '../json/go-duration.js';
import { readOptions } from '../state/blocking-query.js';
import { renderSession, SESSIONS } from './session-store.js';

export const sessionEndpoints: readonly Endpoint[] = [
  { path: '/v1/session/create', methods: { PUT: create } },
  { path: '/v1/session/destroy/', methods: { PUT: destroy } },
  { path: '/v1/session/renew/', methods: { PUT: renew } },
  { path: '/v1/session/info/', methods: { GET: info } },
  { path: '/v1/session/node/', methods: { GET: ofNode } },
  { path: '/v1/session/list', methods: { GET: list } },
];

const SHORTEST_TTL_MS = 10_000;
const LONGEST_TTL_MS = 86_400_000;
const LOCK_DELAY_MS = 15_000;
/** A number below this is in seconds; one above it is in nanoseconds. */
const SECONDS_BELOW_NS = 1_000;

const sessionRequest: GoStruct = {
  kind: 'struct',
  name: 'struct { LockDelay interface {}; *structs.Alias }',
  errorName: '',
  lenient: true,
  fields: {
    Name: goString,
    Node: goString,
    LockDelay: goDuration,
    Behavior: goString,
    TTL: goString,
    NodeChecks: goArray(goString),
    Checks: goArray(goString),
    ServiceChecks: goArray({
      kind: 'struct',
      name: 'structs.ServiceCheck',
      errorName: 'ServiceCheck',
      lenient: true,
      fields: { ID: goString, Namespace: goString },
    }),
    ID: goString,
  },
};

interface Body {
  Name?: string;
  Node?: string;
  LockDelay?: number;
  Behavior?: string;
  TTL?: string;
  NodeChecks?: string[];
  Checks?: string[];
  ServiceChecks?: { ID: string; Namespace?: string }[];
}

function create(core: Core, request: ApiRequest): ApiReply {
  const body = (request.body.length === 0 ? {} : decodeBody(request, sessionRequest)) as Body;
  core.datacenter(request);
  core.requireLeader();
  const node = body.Node || core.options.identity.node;
  if (!core.authorizer(request).may('session', node, 'write')) throw permissionDenied();
  const behavior = body.Behavior || 'release';
  if (behavior !== 'release' && behavior !== 'delete')
    throw serverError(`Invalid Behavior setting '${behavior}'`);
  const ttlMs = timeToLive(body.TTL ?? '');
  if (!core.catalog.node(node)) throw serverError('Missing node registration');
  const nodeChecks = body.Checks ?? body.NodeChecks ?? ['serfHealth'];
  for (const id of [...nodeChecks, ...(body.ServiceChecks ?? []).map(({ ID }) => ID)]) {
    const check = core.catalog.checksOf(node).find(({ CheckID }) => CheckID === id);
    if (!check) throw serverError(`Missing check '${id}' registration`);
    if (check.Status === 'critical') throw serverError(`Check '${id}' is in critical state`);
  }
  const id = randomUUID();
  core.sessions.create({
    id,
    name: body.Name ?? '',
    node,
    lockDelayMs: lockDelay(request, body.LockDelay),
    behavior,
    ttl: body.TTL ?? '',
    ttlMs,
    nodeChecks,
    serviceChecks: body.ServiceChecks?.map(({ ID, Namespace = '' }) => ({ ID, Namespace })) ?? null,
  });
  return { json: { ID: id } };
}

/** Decoded as a duration of nanoseconds; Consul treats small numbers as seconds. */
function lockDelay(request: ApiRequest, milliseconds: number | undefined): number {
  if (milliseconds === undefined) return /"lockdelay"\s*:/i.test(request.body.toString()) ? 0 : LOCK_DELAY_MS;
  const nanoseconds = milliseconds * 1e6;
  return nanoseconds > 0 && nanoseconds < SECONDS_BELOW_NS ? nanoseconds * 1_000 : milliseconds;
}

function timeToLive(text: string): number {
  if (text === '') return 0;
  let milliseconds: number;
  try {
    milliseconds = parseGoDuration(text);
  } catch (error) {
    throw serverError(`Session TTL '${text}' invalid: ${(error as Error).message}`);
  }
  if (milliseconds !== 0 && (milliseconds < SHORTEST_TTL_MS || milliseconds > LONGEST_TTL_MS)) {
    throw serverError(`Invalid Session TTL '${milliseconds * 1e6}', must be between [10s=24h0m0s]`);
  }
  return milliseconds;
}

function idOf(request: ApiRequest, read = false): string {
  if (request.rest === '') throw badRequest('Missing session');
  if (request.rest.length !== 36) {
    const text = 'failed session lookup: index error: UUID must be 36 characters';
    throw read ? readError(text) : serverError(text);
  }
  return request.rest;
}

function destroy(core: Core, request: ApiRequest): ApiReply {
  const id = idOf(request);
  core.datacenter(request);
  core.requireLeader();
  const authorizer = core.authorizer(request);
  const session = core.sessions.get(id);
  if (session && !authorizer.may('session', session.node, 'write')) throw permissionDenied();
  core.sessions.end(id);
  return { json: true };
}

function renew(core: Core, request: ApiRequest): ApiReply {
  if (request.rest !== '') readOptions(request);
  const id = idOf(request);
  core.datacenter(request);
  core.requireLeader();
  const authorizer = core.authorizer(request);
  const session = core.sessions.get(id);
  if (!session) throw new ApiError(404, `Session id '${id}' not found`);
  if (!authorizer.may('session', session.node, 'write')) throw permissionDenied();
  core.sessions.renew(id);
  return { json: [renderSession(session)] };
}

async function info(core: Core, request: ApiRequest): Promise<ApiReply> {
  if (request.rest !== '') readOptions(request);
  const id = idOf(request, true);
  return sessionList(core, request, (session) => session.id === id);
}

async function ofNode(core: Core, request: ApiRequest): Promise<ApiReply> {
  if (request.rest === '') throw badRequest('Missing node name');
  return sessionList(core, request, ({ node }) => node === request.rest);
}

async function list(core: Core, request: ApiRequest): Promise<ApiReply> {
  return sessionList(core, request, () => true);
}

async function sessionList(
  core: Core,
  request: ApiRequest,
  wanted: (session: ReturnType<Core['sessions']['list']>[number]) => boolean,
): Promise<ApiReply> {
  const authorizer = core.serversAuthorizer(request);
  const { body, headers } = await core.read(
    request,
    () => [SESSIONS],
    () => ({
      index: core.indexes.of(SESSIONS),
      body: core.sessions
        .list()
        .filter((session) => wanted(session) && authorizer.may('session', session.node, 'read')),
    }),
  );
  return { headers, json: body.map(renderSession) };
}
