import type { Core, Endpoint } from '../core.js';
import { ApiError, badRequest, permissionDenied, serverError } from '../http/api-error.js';
import { decodeBody, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { requestFilter } from '../filter/filter.js';
import { checkFields } from '../filter/filter-schema.js';
import { renderLocalCheck } from './agent.endpoints.js';
import { checkDefinition, checkUpdate, type CheckBody } from './service-schema.js';
import { refuseScripts, validateCheck } from './validate-service.js';

const STATUSES: readonly string[] = ['passing', 'warning', 'critical'];

export const checkEndpoints: readonly Endpoint[] = [
  { path: '/v1/agent/checks', methods: { GET: checks } },
  { path: '/v1/agent/check/register', methods: { PUT: register } },
  { path: '/v1/agent/check/deregister/', methods: { PUT: deregister } },
  { path: '/v1/agent/check/pass/', methods: { PUT: (core, request) => beat(core, request, 'passing') } },
  { path: '/v1/agent/check/warn/', methods: { PUT: (core, request) => beat(core, request, 'warning') } },
  { path: '/v1/agent/check/fail/', methods: { PUT: (core, request) => beat(core, request, 'critical') } },
  { path: '/v1/agent/check/update/', methods: { PUT: update } },
];

function checks(core: Core, request: ApiRequest): ApiReply {
  const authorizer = core.authorizer(request);
  const matches = requestFilter(request, checkFields, false);
  const visible = [...core.agent.checks.values()]
    .map((check) => renderLocalCheck(core, check))
    .filter(({ ServiceName, Node }) =>
      ServiceName
        ? authorizer.may('service', ServiceName as string, 'read')
        : authorizer.may('node', Node as string, 'read'),
    )
    .filter(matches)
    .map((check) => [String(check.CheckID), check] as const);
  return { json: Object.fromEntries(visible.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function register(core: Core, request: ApiRequest): ApiReply {
  const body = decodeBody(request, checkDefinition) as CheckBody;
  if (!body.Name) throw badRequest('Missing check name');
  if (body.Status && !STATUSES.includes(body.Status)) throw badRequest('Bad check status');
  validateCheck(body);
  const owner = core.agent.services.get(body.ServiceID ?? '');
  vet(core, request, owner?.name);
  if (body.ServiceID && !owner)
    throw serverError(`ServiceID ${JSON.stringify(body.ServiceID)} does not exist`);
  if (!core.options.enableScriptChecks) refuseScripts(body);
  core.agent.registerCheck(body.ID || body.Name, body);
  return {};
}

function deregister(core: Core, request: ApiRequest): ApiReply {
  const id = request.rest;
  if (id === '') throw serverError('CheckID missing');
  vetCheck(core, request, id);
  if (!core.agent.deregisterCheck(id) && core.options.compatibility === 'latest') throw unknownCheck(id);
  return {};
}

function beat(core: Core, request: ApiRequest, status: string): ApiReply {
  return report(core, request, status, parameter(request, 'note'));
}

function update(core: Core, request: ApiRequest): ApiReply {
  const { Status = '', Output = '' } = decodeBody(request, checkUpdate) as {
    Status?: string;
    Output?: string;
  };
  if (!STATUSES.includes(Status)) throw badRequest(`Invalid check status: '${Status}'`);
  return report(core, request, Status, Output);
}

function report(core: Core, request: ApiRequest, status: string, output: string): ApiReply {
  const id = request.rest;
  vetCheck(core, request, id);
  if (core.agent.beat(id, status, output)) return {};
  if (core.options.compatibility === 'latest') throw unknownCheck(id);
  throw serverError(`CheckID ${JSON.stringify(id)} does not have associated TTL`);
}

/** With ACLs an agent looks for the check before it looks at the token. */
function vetCheck(core: Core, request: ApiRequest, id: string): void {
  const authorizer = core.authorizer(request);
  if (!core.acl.enabled) return;
  const check = core.agent.checks.get(id);
  if (!check) {
    throw core.options.compatibility === 'latest'
      ? unknownCheck(id)
      : serverError(`Unknown check ${JSON.stringify(id)}`);
  }
  const owner = core.agent.services.get(check.serviceId);
  if (
    owner
      ? authorizer.may('service', owner.name, 'write')
      : authorizer.may('node', core.options.identity.node, 'write')
  ) {
    return;
  }
  throw owner
    ? new ApiError(403, `Permission denied: Missing service:write on ${owner.name}`)
    : permissionDenied();
}

function vet(core: Core, request: ApiRequest, service: string | undefined): void {
  const authorizer = core.authorizer(request);
  if (service === undefined) {
    if (!authorizer.may('node', core.options.identity.node, 'write')) throw permissionDenied();
  } else if (!authorizer.may('service', service, 'write')) {
    throw new ApiError(403, `Permission denied: Missing service:write on ${service}`);
  }
}

function unknownCheck(id: string): ApiError {
  return new ApiError(
    404,
    `Unknown check ID ${JSON.stringify(id)}. Ensure that the check ID is passed, not the check name.`,
  );
}
