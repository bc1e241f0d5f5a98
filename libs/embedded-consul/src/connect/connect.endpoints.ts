import type { Core, Endpoint } from '../core.js';
import { badRequest } from '../http/api-error.js';
import { parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { parseGoBool } from '../json/go-bool.js';
import { CONNECT_ROOTS } from './connect-roots.js';

export const connectEndpoints: readonly Endpoint[] = [
  { path: '/v1/connect/ca/roots', ignoresNamespace: true, methods: { GET: roots } },
  { path: '/v1/agent/connect/ca/roots', ignoresNamespace: true, methods: { GET: cachedRoots } },
];

/** Which certificates to trust needs no token. */
async function roots(core: Core, request: ApiRequest): Promise<ApiReply> {
  const asked = parameter(request, 'pem');
  const asPem = asked === '' ? false : parseGoBool(asked);
  if (asPem === undefined) throw badRequest("Bad request: The 'pem' query parameter must be a boolean value");
  core.datacenter(request, true);
  const { headers, body } = await read(core, request);
  if (!asPem) return { headers, json: body };
  return { headers: { 'Content-Type': 'application/pem-certificate-chain' }, text: core.connect.pem };
}

/** The agent keeps them from the first request on, and is told of changes. */
async function cachedRoots(core: Core, request: ApiRequest): Promise<ApiReply> {
  const waits = request.query.has('index');
  const { headers, body } = await read(core, request);
  const isHit = core.connect.isKept && !waits;
  core.connect.isKept = true;
  const cache = { 'X-Cache': isHit ? 'HIT' : 'MISS', ...(isHit ? { Age: '0' } : {}) };
  return { headers: { ...headers, ...cache }, json: body };
}

async function read(
  core: Core,
  request: ApiRequest,
): Promise<{ body: object; headers: Record<string, string> }> {
  const { headers, body } = await core.read(
    request,
    () => [CONNECT_ROOTS],
    () => core.connect.read(),
  );
  // Of these the servers do not tell whether they know a leader.
  return { body, headers: { ...headers, 'X-Consul-Knownleader': 'false' } };
}
