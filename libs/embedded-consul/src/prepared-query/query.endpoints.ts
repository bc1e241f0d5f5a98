import { randomUUID } from 'node:crypto';
import { readOptions } from '../state/blocking-query.js';
import { nearestFirst } from '../catalog/near.js';
import type { CheckRecord } from '../catalog/catalog-types.js';
import type { Core, Endpoint, PreparedQuery } from '../core.js';
import { entriesOf, renderEntry } from '../health/health.endpoints.js';
import { ApiError, permissionDenied, readError, serverError } from '../http/api-error.js';
import { decodeBody, has, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { renderTemplate, validateTemplate, type QueryTemplate } from './query-template.js';
import { goAny, goArray, goBool, goInt, goMap, goString, type GoStruct } from '../json/go-json-decoder.js';

export const queryEndpoints: readonly Endpoint[] = [
  { path: '/v1/query', ignoresNamespace: true, methods: { GET: list, POST: create } },
  { path: '/v1/query/', ignoresNamespace: true, methods: { GET: read, PUT: update, DELETE: remove } },
];

const QUERIES = 'queries';
/** Queries do not block: their index never moves. */
const EXECUTED = {
  'X-Consul-Index': '1',
  'X-Consul-Effective-Consistency': 'leader',
  'X-Consul-Knownleader': 'true',
  'X-Consul-Lastcontact': '0',
};

const queryType: GoStruct = {
  kind: 'struct',
  name: 'structs.PreparedQuery',
  errorName: 'PreparedQuery',
  fields: {
    ID: goString,
    Name: goString,
    Session: goString,
    Token: goString,
    Template: {
      kind: 'struct',
      name: 'structs.QueryTemplateOptions',
      errorName: 'QueryTemplateOptions',
      fields: { Type: goString, Regexp: goString, RemoveEmptyTags: goBool },
    },
    Service: {
      kind: 'struct',
      name: 'structs.ServiceQuery',
      errorName: 'ServiceQuery',
      fields: {
        Service: goString,
        Failover: {
          kind: 'struct',
          name: 'structs.QueryDatacenterOptions',
          errorName: 'QueryDatacenterOptions',
          fields: { NearestN: goInt, Datacenters: goArray(goString) },
        },
        OnlyPassing: goBool,
        IgnoreCheckIDs: goArray(goString),
        Near: goString,
        Tags: goArray(goString),
        NodeMeta: goMap(goString),
        ServiceMeta: goMap(goString),
        Connect: goBool,
      },
    },
    DNS: {
      kind: 'struct',
      name: 'structs.QueryDNSOptions',
      errorName: 'QueryDNSOptions',
      fields: { TTL: goString },
    },
    RaftIndex: goAny,
  },
};

interface Body {
  Name?: string;
  Session?: string;
  Token?: string;
  Template?: Partial<QueryTemplate>;
  Service?: {
    Service?: string;
    Failover?: { NearestN?: number; Datacenters?: string[] };
    OnlyPassing?: boolean;
    IgnoreCheckIDs?: string[];
    Near?: string;
    Tags?: string[];
    NodeMeta?: Record<string, string>;
    ServiceMeta?: Record<string, string>;
    Connect?: boolean;
  };
  DNS?: { TTL?: string };
}

function create(core: Core, request: ApiRequest): ApiReply {
  const body = decodeBody(request, queryType) as Body;
  core.datacenter(request);
  const id = randomUUID();
  store(core, request, id, body);
  return { json: { ID: id } };
}

function update(core: Core, request: ApiRequest): ApiReply {
  const body = decodeBody(request, queryType) as Body;
  const id = request.rest;
  if (!core.queries.has(id)) throw serverError(`Cannot modify non-existent prepared query: '${id}'`);
  store(core, request, id, body);
  return {};
}

function store(core: Core, request: ApiRequest, id: string, body: Body): void {
  const authorizer = core.authorizer(request);
  const name = body.Name ?? '';
  if (!authorizer.may('query', name, 'write')) throw permissionDenied();
  const invalid = (reason: string): ApiError => serverError(`Invalid prepared query: ${reason}`);
  if (name === '' && !body.Session && !body.Template?.Type) throw invalid('Must be bound to a session');
  if (!body.Service?.Service) throw invalid('Must provide a Service name to query');
  const nearest = body.Service.Failover?.NearestN ?? 0;
  if (nearest < 0) throw invalid(`Bad NearestN '${nearest}', must be >= 0`);
  if (body.Template?.Type) {
    validateTemplate(templateOf(body), body.Service);
    const isSecond = [...core.queries.values()].some((query) => query.id !== id && isCatchAll(query));
    if (name === '' && isSecond) throw serverError('a query template with an empty name already exists');
  }
  if (body.Session) {
    if (body.Session.length !== 36)
      throw serverError('invalid session: index error: UUID must be 36 characters');
    if (!core.sessions.get(body.Session)) throw serverError('invalid session');
  }
  const alias = [...core.queries.values()].some(
    (query) => query.id !== id && query.body.Name === name && name !== '',
  );
  if (alias) throw serverError(`name '${name}' aliases an existing query name`);
  core.write([QUERIES], (index) => {
    const createIndex = core.queries.get(id)?.createIndex ?? index;
    core.queries.set(id, { id, index, createIndex, body: whole(body) });
  });
}

function templateOf({ Template = {} }: Body): QueryTemplate {
  const { Type = '', Regexp = '', RemoveEmptyTags = false } = Template;
  return { Type, Regexp, RemoveEmptyTags };
}

function isTemplate({ body }: PreparedQuery): boolean {
  return (body.Template as QueryTemplate).Type !== '';
}

function isCatchAll(query: PreparedQuery): boolean {
  return isTemplate(query) && query.body.Name === '';
}

/** Every field, as Go writes a struct. */
function whole(body: Body): Record<string, unknown> {
  const service = body.Service ?? {};
  return {
    Name: body.Name ?? '',
    Session: body.Session ?? '',
    Token: body.Token ?? '',
    Template: templateOf(body),
    Service: {
      Service: service.Service ?? '',
      Failover: {
        NearestN: service.Failover?.NearestN ?? 0,
        Datacenters: service.Failover?.Datacenters ?? null,
      },
      OnlyPassing: service.OnlyPassing ?? false,
      IgnoreCheckIDs: service.IgnoreCheckIDs ?? null,
      Near: service.Near ?? '',
      Tags: service.Tags ?? null,
      NodeMeta: service.NodeMeta ?? null,
      ServiceMeta: service.ServiceMeta ?? null,
      Connect: service.Connect ?? false,
    },
    DNS: { TTL: body.DNS?.TTL ?? '' },
  };
}

function render({ id, index, createIndex, body }: PreparedQuery): Record<string, unknown> {
  return { ID: id, ...body, CreateIndex: createIndex, ModifyIndex: index };
}

async function list(core: Core, request: ApiRequest): Promise<ApiReply> {
  const authorizer = core.authorizer(request);
  const { body, headers } = await core.read(
    request,
    () => [QUERIES],
    () => ({
      index: core.indexes.of(QUERIES),
      body: [...core.queries.values()]
        .filter((query) => authorizer.may('query', String(query.body.Name), 'read'))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    }),
    'consistency',
  );
  return { headers, json: body.map(render) };
}

/** By its id or name, or the template with the longest prefix of the name. */
function find(core: Core, nameOrId: string): PreparedQuery | undefined {
  const all = [...core.queries.values()];
  const byId = core.queries.get(nameOrId);
  if (byId && isTemplate(byId))
    throw readError('prepared query templates can only be resolved up by name, not by ID');
  const exact = byId ?? all.find((query) => query.body.Name === nameOrId && !isTemplate(query));
  if (exact) return exact;
  const [template] = all
    .filter((query) => isTemplate(query) && nameOrId.startsWith(String(query.body.Name)))
    .sort((one, other) => String(other.body.Name).length - String(one.body.Name).length);
  return template && rendered(template, nameOrId);
}

function rendered(query: PreparedQuery, name: string): PreparedQuery {
  const { Name, Template, Service } = query.body;
  const service = renderTemplate(
    Template as QueryTemplate,
    String(Name),
    name,
    Service as { Tags: string[] | null },
  );
  return { ...query, body: { ...query.body, Service: service } };
}

async function read(core: Core, request: ApiRequest): Promise<ApiReply> {
  const [, name = '', verb] = /^(.*?)(?:\/(execute|explain))?$/.exec(request.rest) ?? [];
  if (verb === 'execute') return execute(core, request, name);
  if (verb === 'explain') {
    const query = find(core, name);
    if (!query) throw new ApiError(404, 'Query not found');
    const meta = { Index: 0, LastContact: 0, KnownLeader: true, ConsistencyLevel: 'leader' };
    return { headers: EXECUTED, json: { Query: render(query), ...meta } };
  }
  if (name.length !== 36)
    throw readError('failed prepared query lookup: index error: UUID must be 36 characters');
  const query = core.queries.get(name);
  if (!query) throw new ApiError(404, 'Query not found');
  const { headers } = await core.read(
    request,
    () => [QUERIES],
    () => ({ index: core.indexes.of(QUERIES), body: query }),
    'consistency',
  );
  return { headers, json: [render(query)] };
}

/** As stored: omitted fields are null. */
type Nulls<T> = { [K in keyof T]: T[K] extends object ? T[K] | null : T[K] };

/** Never blocks, whatever the `index`. */
async function execute(core: Core, request: ApiRequest, name: string): Promise<ApiReply> {
  readOptions(request);
  const limit = parameter(request, 'limit');
  if (has(request, 'limit') && limit !== '' && !/^[-+]?\d+$/.test(limit)) {
    throw serverError(`Bad limit: strconv.Atoi: parsing ${JSON.stringify(limit)}: invalid syntax`);
  }
  core.datacenter(request);
  const query = find(core, name);
  if (!query) throw new ApiError(404, 'Query not found');
  const authorizer = core.authorizer(request);
  const { Service: wanted, DNS } = query.body as {
    Service: Nulls<Required<NonNullable<Body['Service']>>>;
    DNS: unknown;
  };
  const nodes = entriesOf(core, wanted.Service)
    .filter(
      ({ node }) =>
        authorizer.may('service', wanted.Service, 'read') && authorizer.may('node', node.Node, 'read'),
    )
    .filter(({ checks }) => {
      const counted = checks.filter(({ CheckID }) => !(wanted.IgnoreCheckIDs ?? []).includes(CheckID));
      // Never critical ones; warning ones only without OnlyPassing.
      return counted.every(
        ({ Status }) => Status === 'passing' || (Status === 'warning' && !wanted.OnlyPassing),
      );
    })
    .filter(({ service }) => hasTags(service.Tags, wanted.Tags ?? []))
    .filter(
      ({ service, node }) => hasAll(service.Meta, wanted.ServiceMeta) && hasAll(node.Meta, wanted.NodeMeta),
    );
  const shuffled = nodes
    .map((entry) => ({ entry, at: core.options.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ entry }) => entry);
  const near = parameter(request, 'near') || wanted.Near;
  const found = nearestFirst(shuffled, near, core.options.identity.node, ({ node }) => node.Node)
    .map(renderEntry)
    // From the servers' state: a check of a node has no tags here.
    .map((entry) => ({
      ...entry,
      Checks: (entry.Checks as CheckRecord[]).map((check) =>
        check.ServiceID === '' ? { ...check, ServiceTags: null } : check,
      ),
    }));
  return {
    headers: { ...EXECUTED, ...core.cacheHeaders(request, 'query/execute') },
    json: {
      Service: wanted.Service,
      Nodes: Number(limit) > 0 ? found.slice(0, Number(limit)) : found,
      DNS,
      Datacenter: core.options.identity.datacenter,
      Failovers: 0,
      Index: 0,
      LastContact: 0,
      KnownLeader: true,
      ConsistencyLevel: 'leader',
    },
  };
}

/** `!tag` means: without it. */
function hasTags(own: readonly string[], wanted: readonly string[]): boolean {
  const folded = own.map((tag) => tag.toLowerCase());
  return wanted.every((tag) => {
    const excluded = tag.startsWith('!');
    return folded.includes((excluded ? tag.slice(1) : tag).toLowerCase()) !== excluded;
  });
}

function hasAll(
  own: Record<string, string> | null,
  wanted: Record<string, string> | null | undefined,
): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => own?.[key] === value);
}

function remove(core: Core, request: ApiRequest): ApiReply {
  const id = request.rest;
  if (id.length !== 36) {
    throw serverError(
      'Prepared Query lookup failed: failed prepared query lookup: index error: UUID must be 36 characters',
    );
  }
  const query = core.queries.get(id);
  if (query && !core.authorizer(request).may('query', String(query.body.Name), 'write'))
    throw permissionDenied();
  if (query) core.write([QUERIES], () => core.queries.delete(id));
  return {};
}
