import type { Core, Endpoint } from '../core.js';
import { ApiError, permissionDenied, serverError } from '../http/api-error.js';
import { decodeBody, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { goString, type GoStruct } from '../json/go-json-decoder.js';

/** What concerns the agent as a process. */
export const processEndpoints: readonly Endpoint[] = [
  { path: '/v1/agent/leave', methods: { PUT: leave } },
  { path: '/v1/agent/force-leave/', methods: { PUT: forceLeave } },
  { path: '/v1/agent/reload', methods: { PUT: reload } },
  { path: '/v1/agent/token/', methods: { PUT: token } },
  { path: '/v1/agent/metrics', methods: { GET: metrics } },
];

const tokenUpdate: GoStruct = {
  kind: 'struct',
  name: 'api.AgentToken',
  errorName: 'AgentToken',
  fields: { Token: goString },
};
const TOKENS: ReadonlySet<string> = new Set([
  ...['default', 'agent', 'agent_master', 'replication'],
  ...['acl_token', 'acl_agent_token', 'acl_agent_master_token', 'acl_replication_token'],
]);

function requireAgent(core: Core, request: ApiRequest, wanted: 'read' | 'write'): void {
  if (!core.authorizer(request).may('agent', core.options.identity.node, wanted)) throw permissionDenied();
}

/** Takes the node out of the catalog. In the process of a test the agent goes on answering; the one of a shell ends. */
function leave(core: Core, request: ApiRequest): ApiReply {
  requireAgent(core, request, 'write');
  core.catalog.deregister(core.options.identity.node);
  core.onLeave();
  return {};
}

/** There are no other members; a real server does not let itself be taken out either. */
function forceLeave(core: Core, request: ApiRequest): ApiReply {
  if (!core.authorizer(request).mayOperator('write')) throw permissionDenied();
  if (request.rest === core.options.identity.node)
    throw new ApiError(501, 'embedded-consul: PUT /v1/agent/force-leave/ of this node is not implemented');
  throw serverError(`agent: No node found with name '${request.rest}'`);
}

/** There are no files to read again. */
function reload(core: Core, request: ApiRequest): ApiReply {
  requireAgent(core, request, 'write');
  return {};
}

/** Everything that the agent writes by itself needs no token here. */
function token(core: Core, request: ApiRequest): ApiReply {
  if (!core.acl.enabled) throw new ApiError(401, 'ACL support disabled');
  requireAgent(core, request, 'write');
  decodeBody(request, tokenUpdate);
  if (!TOKENS.has(request.rest)) throw new ApiError(404, `Token ${JSON.stringify(request.rest)} is unknown`);
  return {};
}

/** In the shape of the real one; nothing is measured here. */
function metrics(core: Core, request: ApiRequest): ApiReply {
  requireAgent(core, request, 'read');
  if (parameter(request, 'format') === 'prometheus')
    throw new ApiError(415, 'Prometheus is not enabled since its retention time is not positive');
  const [day = '', time = ''] = new Date().toISOString().split(/[T.]/);
  return {
    json: { Timestamp: `${day} ${time} +0000 UTC`, Gauges: [], Points: [], Counters: [], Samples: [] },
  };
}
