import type { Authorizer } from '../acl/acl-store.js';
import {
  CHECKS,
  EXTINCTION,
  nodeChecksTopic,
  NODES,
  SERVICES,
  serviceChecksTopic,
  serviceTopic,
} from '../catalog/catalog.js';
import {
  renderService,
  type CheckRecord,
  type NodeRecord,
  type ServiceRecord,
} from '../catalog/catalog-types.js';
import { nearestFirst } from '../catalog/near.js';
import type { Core, Endpoint } from '../core.js';
import { requestFilter } from '../filter/filter.js';
import { checkFields, healthEntryFields } from '../filter/filter-schema.js';
import { badRequest } from '../http/api-error.js';
import { has, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';

export const healthEndpoints: readonly Endpoint[] = [
  { path: '/v1/health/service/', methods: { GET: service } },
  { path: '/v1/health/connect/', methods: { GET: connect } },
  { path: '/v1/health/node/', methods: { GET: node } },
  { path: '/v1/health/checks/', methods: { GET: checks } },
  { path: '/v1/health/state/', methods: { GET: state } },
];

const MAINTENANCE = /^(_node_maintenance$|_service_maintenance:)/;

/** The worst status of several checks; maintenance is the worst. */
export function worst(checksOf: readonly { CheckID: string; Status: string }[]): string {
  if (checksOf.some(({ CheckID }) => MAINTENANCE.test(CheckID))) return 'maintenance';
  const statuses = checksOf.map(({ Status }) => Status);
  return ['critical', 'warning'].find((status) => statuses.includes(status)) ?? 'passing';
}

interface Entry {
  readonly node: NodeRecord;
  readonly service: ServiceRecord;
  readonly checks: readonly CheckRecord[];
}

/** Instances with the checks of their node, then their own. */
export function entriesOf(core: Core, name: string): Entry[] {
  return withChecks(core, core.catalog.instances(name));
}

function withChecks(core: Core, instances: readonly Omit<Entry, 'checks'>[]): Entry[] {
  return instances.map((found) => {
    const all = core.catalog.checksOf(found.node.Node);
    const own = all.filter(({ ServiceID }) => ServiceID === found.service.ID);
    return { ...found, checks: [...all.filter(({ ServiceID }) => ServiceID === ''), ...own] };
  });
}

export function renderEntry({ node: Node, service: found, checks: Checks }: Entry): Record<string, unknown> {
  return { Node, Service: renderService(found), Checks };
}

async function service(core: Core, request: ApiRequest): Promise<ApiReply> {
  return instancesOf(core, request, false);
}

/** What answers for a service in the mesh: its own instances that speak it, and its proxies. */
async function connect(core: Core, request: ApiRequest): Promise<ApiReply> {
  return instancesOf(core, request, true);
}

async function instancesOf(core: Core, request: ApiRequest, isConnect: boolean): Promise<ApiReply> {
  const name = request.rest;
  const passing = passingOnly(request);
  const authorizer = core.serversAuthorizer(request);
  if (name === '') {
    await core.read(
      request,
      () => [],
      () => ({ index: 1, body: undefined }),
      'consistency',
    );
    throw badRequest('Missing service name');
  }
  const found = (): Entry[] =>
    withChecks(core, isConnect ? core.catalog.connectInstances(name) : core.catalog.instances(name));
  // Proxies have tags of their own.
  const tags = isConnect ? [] : request.query.getAll('tag');
  const { body, headers } = await core.read(
    request,
    () =>
      !isConnect && core.catalog.instances(name).length > 0
        ? [serviceTopic(name)]
        : [SERVICES, NODES, CHECKS, EXTINCTION],
    () => {
      const matches = requestFilter(request, healthEntryFields, true);
      const hidden = core.distortion.emptyLists.has(name) || core.distortion.emptyLists.has('*');
      const near = request.query.get('near');
      const entries = hidden
        ? []
        : nearestFirst(found(), near, core.options.identity.node, (entry) => entry.node.Node);
      return {
        index: isConnect
          ? core.indexes.of(SERVICES, NODES, CHECKS)
          : core.catalog.serviceIndex(name, core.catalog.instances(name).length > 0),
        body: entries
          .filter(
            (entry) =>
              authorizer.may('service', name, 'read') && authorizer.may('node', entry.node.Node, 'read'),
          )
          .filter((entry) =>
            tags.every((tag) => entry.service.Tags.some((own) => own.toLowerCase() === tag.toLowerCase())),
          )
          .filter((entry) => hasNodeMeta(request, entry.node))
          .map(renderEntry)
          .filter(matches),
      };
    },
    isConnect ? 'consistency' : { cache: 'health/service' },
  );
  const shown = passing
    ? body.filter(({ Checks }) => (Checks as CheckRecord[]).every(({ Status }) => Status === 'passing'))
    : body;
  return { headers, json: shown };
}

function passingOnly(request: ApiRequest): boolean {
  if (!has(request, 'passing')) return false;
  const text = parameter(request, 'passing');
  if (text === '') return true;
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw badRequest('Invalid value for ?passing');
}

/** `?node-meta=key:value`, all of them. */
export function hasNodeMeta(request: ApiRequest, record: Pick<NodeRecord, 'Meta'>): boolean {
  return request.query.getAll('node-meta').every((pair) => {
    const [key = '', ...value] = pair.split(':');
    return record.Meta?.[key] === value.join(':');
  });
}

async function node(core: Core, request: ApiRequest): Promise<ApiReply> {
  const name = request.rest;
  return checkList(core, request, name, 'Missing node name', [nodeChecksTopic(name)], () =>
    core.catalog.checksOf(name),
  );
}

async function checks(core: Core, request: ApiRequest): Promise<ApiReply> {
  const name = request.rest;
  return checkList(core, request, name, 'Missing service name', [serviceChecksTopic(name)], () =>
    core.catalog.allChecks().filter(({ ServiceName }) => ServiceName === name),
  );
}

async function state(core: Core, request: ApiRequest): Promise<ApiReply> {
  const wanted = request.rest;
  return checkList(core, request, wanted, 'Missing check state', [CHECKS], () =>
    core.catalog.allChecks().filter(({ Status }) => wanted === 'any' || Status === wanted),
  );
}

async function checkList(
  core: Core,
  request: ApiRequest,
  name: string,
  missing: string,
  topics: readonly string[],
  list: () => CheckRecord[],
): Promise<ApiReply> {
  const authorizer = core.serversAuthorizer(request);
  if (name === '') throw badRequest(missing);
  const { body, headers } = await core.read(
    request,
    () => topics,
    () => {
      const matches = requestFilter(request, checkFields, true);
      const visible = list()
        .filter((check) => mayRead(authorizer, check))
        .filter(matches);
      return {
        index: core.indexes.of(CHECKS),
        body: visible.filter((check) => nodeMatches(core, request, check)),
      };
    },
    'consistency',
  );
  return { headers, json: body };
}

function nodeMatches(core: Core, request: ApiRequest, check: CheckRecord): boolean {
  return hasNodeMeta(request, core.catalog.node(check.Node) ?? { Meta: null });
}

function mayRead(authorizer: Authorizer, check: CheckRecord): boolean {
  if (!authorizer.may('node', check.Node, 'read')) return false;
  return check.ServiceName === '' || authorizer.may('service', check.ServiceName, 'read');
}
