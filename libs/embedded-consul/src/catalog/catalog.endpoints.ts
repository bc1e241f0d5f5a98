import type { Core, Endpoint } from '../core.js';
import { requestFilter } from '../filter/filter.js';
import { agentServiceFields, catalogServiceFields, nodeFields } from '../filter/filter-schema.js';
import { hasNodeMeta } from '../health/health.endpoints.js';
import { badRequest, permissionDenied, serverError } from '../http/api-error.js';
import { decodeBody, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { goAny, goArray, goBool, goMap, goString, type GoStruct } from '../json/go-json-decoder.js';
import { proxyRecord } from '../agent/proxy.js';
import { checkType, nodeServiceFields } from './catalog-schema.js';
import { EXTINCTION, nodeTopic, NODES, serviceNodesTopic, SERVICES } from './catalog.js';
import { nearestFirst } from './near.js';
import {
  renderCatalogService,
  renderService,
  type NewCheck,
  type NewService,
  type NodeRecord,
} from './catalog-types.js';

export const catalogEndpoints: readonly Endpoint[] = [
  { path: '/v1/catalog/register', methods: { PUT: register } },
  { path: '/v1/catalog/deregister', methods: { PUT: deregister } },
  { path: '/v1/catalog/datacenters', methods: { GET: datacenters } },
  { path: '/v1/catalog/nodes', methods: { GET: nodes } },
  { path: '/v1/catalog/node/', methods: { GET: node } },
  { path: '/v1/catalog/services', methods: { GET: services } },
  { path: '/v1/catalog/service/', methods: { GET: service } },
  { path: '/v1/catalog/connect/', methods: { GET: connect } },
  { path: '/v1/catalog/node-services/', methods: { GET: nodeServices } },
];

const registerRequest: GoStruct = {
  kind: 'struct',
  name: 'structs.RegisterRequest',
  errorName: 'RegisterRequest',
  fields: {
    Datacenter: goString,
    ID: goString,
    Node: goString,
    Address: goString,
    TaggedAddresses: goMap(goString),
    NodeMeta: goMap(goString),
    Service: {
      kind: 'struct',
      name: 'structs.NodeService',
      errorName: 'NodeService',
      fields: nodeServiceFields,
    },
    Check: checkType,
    Checks: goArray(checkType, 'structs.HealthChecks'),
    SkipNodeUpdate: goBool,
    WriteRequest: goAny,
  },
};
const deregisterRequest: GoStruct = {
  kind: 'struct',
  name: 'struct { Address string; *structs.Alias }',
  errorName: '',
  fields: {
    Address: goString,
    Datacenter: goString,
    Node: goString,
    ServiceID: goString,
    CheckID: goString,
    WriteRequest: goAny,
  },
};

interface RegisterBody {
  Datacenter?: string;
  ID?: string;
  Node?: string;
  Address?: string;
  TaggedAddresses?: Record<string, string>;
  NodeMeta?: Record<string, string>;
  Service?: Partial<NewService> & { Service?: string };
  Check?: Partial<NewCheck>;
  Checks?: Partial<NewCheck>[];
  SkipNodeUpdate?: boolean;
}

function register(core: Core, request: ApiRequest): ApiReply {
  const body = decodeBody(request, registerRequest) as RegisterBody;
  const authorizer = core.authorizer(request);
  if (body.Datacenter && body.Datacenter !== core.options.identity.datacenter)
    throw serverError('No path to datacenter');
  const name = body.Node ?? '';
  if (name === '') throw serverError('Must provide node');
  if (!body.Address && !body.SkipNodeUpdate)
    throw serverError('Must provide address if SkipNodeUpdate is not set');
  const given = body.Service;
  if (given?.ID && !given.Service) throw serverError('Must provide service name with ID');
  core.requireLeader();
  if (!authorizer.may('node', name, 'write')) throw permissionDenied();
  if (given?.Service && !authorizer.may('service', given.Service, 'write')) throw permissionDenied();
  const service = given?.Service ? newService(given, given.Service) : undefined;
  const checks = [...(body.Checks ?? []), ...(body.Check ? [body.Check] : [])];
  core.catalog.register({
    nodeName: name,
    // A node that does not exist yet is created in any case.
    node:
      body.SkipNodeUpdate && core.catalog.node(name)
        ? undefined
        : {
            ID: body.ID ?? '',
            Node: name,
            Address: body.Address ?? '',
            Datacenter: core.options.identity.datacenter,
            TaggedAddresses: body.TaggedAddresses ?? null,
            Meta: body.NodeMeta ?? null,
          },
    service,
    checks: checks.map((check) => newCheck(check, name)),
  });
  return { json: true };
}

export function newService(given: Partial<NewService>, name: string): NewService {
  return {
    ...(given.Kind ? { Kind: given.Kind } : {}),
    ID: given.ID || name,
    Service: name,
    Tags: given.Tags ?? [],
    Address: given.Address ?? '',
    ...(given.TaggedAddresses ? { TaggedAddresses: given.TaggedAddresses } : {}),
    Meta: given.Meta ?? null,
    Port: given.Port ?? 0,
    Weights: given.Weights ?? { Passing: 1, Warning: 1 },
    EnableTagOverride: given.EnableTagOverride ?? false,
    Proxy: proxyRecord(given.Proxy),
    Connect: {},
  };
}

export function newCheck(given: Partial<NewCheck>, nodeName: string): NewCheck {
  return {
    Node: given.Node || nodeName,
    CheckID: given.CheckID || given.Name || '',
    Name: given.Name ?? '',
    Status: given.Status || 'critical',
    Notes: given.Notes ?? '',
    Output: given.Output ?? '',
    ServiceID: given.ServiceID ?? '',
    ServiceName: given.ServiceName ?? '',
    ServiceTags: given.ServiceTags ?? [],
    Type: given.Type ?? '',
    Definition: given.Definition ?? {},
  };
}

function deregister(core: Core, request: ApiRequest): ApiReply {
  const body = decodeBody(request, deregisterRequest) as {
    Node?: string;
    ServiceID?: string;
    CheckID?: string;
    Datacenter?: string;
  };
  const authorizer = core.authorizer(request);
  if (body.Datacenter && body.Datacenter !== core.options.identity.datacenter)
    throw serverError('No path to datacenter');
  if (!body.Node) throw serverError('Must provide node');
  core.requireLeader();
  const found = core.catalog.servicesOf(body.Node).find(({ ID }) => ID === body.ServiceID);
  const allowed =
    authorizer.may('node', body.Node, 'write') ||
    (found !== undefined && authorizer.may('service', found.Service, 'write'));
  if (!allowed) throw permissionDenied();
  core.catalog.deregister(body.Node, {
    ...(body.ServiceID ? { service: body.ServiceID } : {}),
    ...(body.CheckID ? { check: body.CheckID } : {}),
  });
  return { json: true };
}

function datacenters(core: Core, request: ApiRequest): ApiReply {
  return {
    headers: core.cacheHeaders(request, 'catalog/datacenters'),
    json: [core.options.identity.datacenter],
  };
}

async function nodes(core: Core, request: ApiRequest): Promise<ApiReply> {
  const authorizer = core.serversAuthorizer(request);
  const { body, headers } = await core.read(
    request,
    () => [NODES],
    () => {
      const matches = requestFilter(request, nodeFields, true);
      const list = core.catalog.nodes().filter((found) => authorizer.may('node', found.Node, 'read'));
      return {
        index: core.indexes.of(NODES),
        body: list.filter((found) => hasNodeMeta(request, found)).filter(matches),
      };
    },
    'consistency',
  );
  return { headers, json: body };
}

async function node(core: Core, request: ApiRequest): Promise<ApiReply> {
  const name = request.rest;
  const authorizer = core.serversAuthorizer(request);
  if (name === '') throw badRequest('Missing node name');
  const { body, headers } = await core.read(
    request,
    () => [nodeTopic(name)],
    () => {
      const matches = requestFilter(request, agentServiceFields, true);
      const found = authorizer.may('node', name, 'read') ? core.catalog.node(name) : undefined;
      const services = core.catalog
        .servicesOf(name)
        .filter(({ Service }) => authorizer.may('service', Service, 'read'))
        .map((each) => [each.ID, renderService(each)] as const)
        .filter(([, rendered]) => matches(rendered));
      return {
        index: core.catalog.node(name) ? core.indexes.of(nodeTopic(name)) : 1,
        body: found ? { Node: found, Services: Object.fromEntries(services) } : null,
      };
    },
    'consistency',
  );
  return { headers, json: body };
}

/** Like `node`, with the services as a list. */
async function nodeServices(core: Core, request: ApiRequest): Promise<ApiReply> {
  const reply = await node(core, request);
  const record = reply.json as { Node: NodeRecord; Services: Record<string, unknown> } | null;
  return {
    ...reply,
    json: { Node: record?.Node ?? null, Services: record ? Object.values(record.Services) : null },
  };
}

async function services(core: Core, request: ApiRequest): Promise<ApiReply> {
  const authorizer = core.serversAuthorizer(request);
  const { body, headers } = await core.read(
    request,
    () => [SERVICES],
    () => {
      const names = [...core.catalog.serviceNames((found) => hasNodeMeta(request, found))]
        .filter(([name]) => authorizer.may('service', name, 'read'))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        index: core.indexes.of(SERVICES),
        body: Object.fromEntries(names.map(([name, tags]) => [name, [...tags]])),
      };
    },
    { cache: 'catalog/services' },
  );
  return { headers, json: body };
}

async function service(core: Core, request: ApiRequest): Promise<ApiReply> {
  return instancesOf(core, request, false);
}

/** What answers for a service in the mesh. */
async function connect(core: Core, request: ApiRequest): Promise<ApiReply> {
  return instancesOf(core, request, true);
}

async function instancesOf(core: Core, request: ApiRequest, isConnect: boolean): Promise<ApiReply> {
  const name = request.rest;
  const authorizer = core.serversAuthorizer(request);
  if (name === '') throw badRequest('Missing service name');
  const tags = isConnect ? [] : request.query.getAll('tag');
  const near = request.query.get('near');
  const ownNode = core.options.identity.node;
  const found = () => (isConnect ? core.catalog.connectInstances(name) : core.catalog.instances(name));
  const exists = (): boolean => core.catalog.instances(name).length > 0;
  const { body, headers } = await core.read(
    request,
    () =>
      isConnect
        ? [SERVICES, NODES]
        : exists()
          ? [serviceNodesTopic(name)]
          : [serviceNodesTopic(name), EXTINCTION],
    () => {
      const matches = requestFilter(request, catalogServiceFields, true);
      const hidden = core.distortion.emptyLists.has(name) || core.distortion.emptyLists.has('*');
      return {
        index: isConnect ? core.indexes.of(SERVICES, NODES) : core.catalog.serviceIndex(name, exists()),
        body: (hidden ? [] : nearestFirst(found(), near, ownNode, ({ node: found }) => found.Node))
          .filter(
            (found) =>
              authorizer.may('service', name, 'read') && authorizer.may('node', found.node.Node, 'read'),
          )
          .filter((found) =>
            tags.every((tag) => found.service.Tags.some((own) => own.toLowerCase() === tag.toLowerCase())),
          )
          .filter((found) => hasNodeMeta(request, found.node))
          .map((found) => renderCatalogService(found.node, found.service))
          .filter(matches),
      };
    },
    isConnect ? 'consistency' : { cache: 'catalog/service' },
  );
  return { headers, json: body };
}
