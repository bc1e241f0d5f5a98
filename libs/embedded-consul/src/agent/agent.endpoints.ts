import type { Core, Endpoint } from '../core.js';
import { ApiError, badRequest, permissionDenied, serverError } from '../http/api-error.js';
import { decodeBody, has, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { requestFilter } from '../filter/filter.js';
import { agentServiceFields } from '../filter/filter-schema.js';
import { waitForChange, waitOptions } from '../state/blocking-query.js';
import { parseGoBool } from '../json/go-bool.js';
import { worst } from '../health/health.endpoints.js';
import { localTopic } from './agent.js';
import { contentHash, renderLocalService, type LocalCheck, type LocalService } from './local-state.js';
import { serviceDefinition, type ServiceBody } from './service-schema.js';
import { registrationOf } from './registration.js';

export const agentEndpoints: readonly Endpoint[] = [
  { path: '/v1/agent/services', methods: { GET: services } },
  { path: '/v1/agent/service/', methods: { GET: service } },
  { path: '/v1/agent/service/register', methods: { PUT: register } },
  { path: '/v1/agent/service/deregister/', methods: { PUT: deregister } },
  { path: '/v1/agent/service/maintenance/', methods: { PUT: serviceMaintenance } },
  { path: '/v1/agent/maintenance', methods: { PUT: nodeMaintenance } },
  { path: '/v1/agent/health/service/id/', methods: { GET: healthById } },
  { path: '/v1/agent/health/service/name/', methods: { GET: healthByName } },
];

function services(core: Core, request: ApiRequest): ApiReply {
  const authorizer = core.authorizer(request);
  const matches = requestFilter(request, agentServiceFields, false);
  const visible = [...core.agent.services.values()]
    .filter(({ name }) => authorizer.may('service', name, 'read'))
    .map((found) => [found.id, renderLocalService(found)] as const)
    .filter(([, rendered]) => matches(rendered));
  return { json: Object.fromEntries(visible.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** With `?hash=` it answers when the registration has changed, or after `wait`. */
async function service(core: Core, request: ApiRequest): Promise<ApiReply> {
  const options = waitOptions(request);
  const authorizer = core.authorizer(request);
  const id = request.rest;
  const read = (): LocalService | undefined => core.agent.services.get(id);
  const hash = parameter(request, 'hash');
  if (hash) {
    const deadline = core.options.clock.now() + options.waitMs * (1 + core.options.random() / 16);
    for (let found = read(); found && contentHash(found) === hash; found = read()) {
      if (!(await waitForChange(core.blocking, request, [localTopic(id)], deadline))) break;
    }
  }
  const found = read();
  if (!found) throw new ApiError(404, `unknown service ID: ${id}`);
  if (!authorizer.may('service', found.name, 'read')) throw permissionDenied();
  const ContentHash = contentHash(found);
  return {
    headers: { 'X-Consul-Contenthash': ContentHash },
    json: { ...renderLocalService(found), ContentHash },
  };
}

function register(core: Core, request: ApiRequest): ApiReply {
  const body = decodeBody(request, serviceDefinition) as ServiceBody;
  const { services: own } = core.agent;
  const registration = registrationOf(body, own.values(), core.options.enableScriptChecks);
  const authorizer = core.authorizer(request);
  for (const each of [registration.service, registration.sidecar]) {
    const name = each?.Name;
    if (name !== undefined && !authorizer.may('service', name, 'write'))
      throw new ApiError(403, `Permission denied: Missing service:write on ${name}`);
  }
  const replace =
    has(request, 'replace-existing-checks') && parameter(request, 'replace-existing-checks') !== 'false';
  core.agent.register(registration, replace);
  return {};
}

function deregister(core: Core, request: ApiRequest): ApiReply {
  const id = request.rest;
  if (id === '') throw serverError('ServiceID missing');
  const found = core.agent.services.get(id);
  const authorizer = core.authorizer(request);
  if (!found && core.acl.enabled) throw serverError(`Unknown service {${JSON.stringify(id)} {}}`);
  if (found && !authorizer.may('service', found.name, 'write')) {
    throw new ApiError(403, `Permission denied: Missing service:write on ${found.name}`);
  }
  if (!core.agent.deregister(id) && core.options.compatibility === 'latest') {
    throw new ApiError(
      404,
      `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
    );
  }
  return {};
}

function serviceMaintenance(core: Core, request: ApiRequest): ApiReply {
  if (request.rest === '') throw badRequest('Missing service ID');
  const on = enabled(request);
  const found = core.agent.services.get(request.rest);
  if (!found) throw new ApiError(404, `No service registered with ID ${JSON.stringify(request.rest)}`);
  if (!core.authorizer(request).may('service', found.name, 'write')) throw permissionDenied();
  core.agent.serviceMaintenance(request.rest, on, parameter(request, 'reason'));
  return {};
}

function nodeMaintenance(core: Core, request: ApiRequest): ApiReply {
  const on = enabled(request);
  if (!core.authorizer(request).may('node', core.options.identity.node, 'write')) throw permissionDenied();
  core.agent.nodeMaintenance(on, parameter(request, 'reason'));
  return {};
}

function enabled(request: ApiRequest): boolean {
  const text = parameter(request, 'enable');
  if (!has(request, 'enable')) throw badRequest('Missing value for enable');
  const on = parseGoBool(text);
  if (on === undefined) throw badRequest(`Invalid value for enable: ${JSON.stringify(text)}`);
  return on;
}

const STATUS_CODES: Readonly<Record<string, number>> = { passing: 200, warning: 429 };

function healthById(core: Core, request: ApiRequest): ApiReply {
  if (request.rest === '') throw serverError('Bad request: Missing serviceID');
  const found = core.agent.services.get(request.rest);
  const authorizer = core.authorizer(request);
  if (!found) {
    const reason = {
      'X-Consul-Reason': `ServiceId ${request.rest} not found`,
      // The content type is always JSON.
      'Content-Type': 'application/json',
    };
    if (parameter(request, 'format') === 'text')
      return { status: 404, headers: reason, text: reason['X-Consul-Reason'] };
    return {
      status: 404,
      headers: reason,
      json: { AggregatedStatus: 'critical', Service: null, Checks: null },
    };
  }
  if (!authorizer.may('service', found.name, 'read')) throw permissionDenied();
  return healthReply(core, request, [found], false);
}

function healthByName(core: Core, request: ApiRequest): ApiReply {
  if (request.rest === '') throw serverError('Bad request: Missing service Name');
  if (!core.authorizer(request).may('service', request.rest, 'read')) throw permissionDenied();
  const found = [...core.agent.services.values()].filter(({ name }) => name === request.rest);
  if (found.length === 0) {
    const reason = { 'X-Consul-Reason': `ServiceName ${request.rest} Not Found` };
    if (parameter(request, 'format') === 'text')
      return { status: 404, headers: reason, text: reason['X-Consul-Reason'] };
    return { status: 404, headers: reason, json: [] };
  }
  return healthReply(core, request, found, true);
}

function healthReply(
  core: Core,
  request: ApiRequest,
  found: readonly LocalService[],
  many: boolean,
): ApiReply {
  const entries = found.map((each) => {
    const checks = [...core.agent.checks.values()].filter(
      ({ serviceId }) => serviceId === each.id || serviceId === '',
    );
    return {
      AggregatedStatus: worst(checks.map(({ id, status }) => ({ CheckID: id, Status: status }))),
      service: each,
      checks,
    };
  });
  const order = ['passing', 'warning', 'critical', 'maintenance'];
  const status =
    entries
      .map(({ AggregatedStatus }) => AggregatedStatus)
      .sort((a, b) => order.indexOf(b) - order.indexOf(a))[0] ?? 'critical';
  const reply = { status: STATUS_CODES[status] ?? 503, headers: { 'X-Consul-Reason': status } };
  if (parameter(request, 'format') === 'text') {
    return { ...reply, headers: { ...reply.headers, 'Content-Type': 'text/plain' }, text: status };
  }
  const json = entries.map((entry) => ({
    AggregatedStatus: entry.AggregatedStatus,
    Service: renderLocalService(entry.service),
    Checks: entry.checks
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((check) => renderUntypedCheck(core, check)),
  }));
  return { ...reply, json: many ? json : json[0] };
}

/** A check in the shape of `/v1/agent/checks`. */
export function renderLocalCheck(core: Core, check: LocalCheck): Record<string, unknown> {
  const owner = core.agent.services.get(check.serviceId);
  return {
    Node: core.options.identity.node,
    CheckID: check.id,
    Name: check.name,
    Status: check.status,
    Notes: check.notes,
    Output: check.output,
    ServiceID: check.serviceId,
    ServiceName: owner?.name ?? '',
    ServiceTags: owner?.tags ?? [],
    Type: check.type,
    Definition: {},
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}

/** As `/v1/agent/health` writes one: without its type, and with an empty definition spelt out. */
function renderUntypedCheck(core: Core, check: LocalCheck): Record<string, unknown> {
  return {
    ...renderLocalCheck(core, check),
    Type: '',
    Definition: {
      Interval: '0s',
      Timeout: '0s',
      DeregisterCriticalServiceAfter: '0s',
      HTTP: '',
      Header: null,
      Method: '',
      Body: '',
      TLSSkipVerify: false,
      TCP: '',
    },
  };
}
