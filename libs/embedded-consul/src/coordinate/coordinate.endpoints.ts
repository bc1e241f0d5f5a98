import { NODES } from '../catalog/catalog.js';
import type { Core, Endpoint } from '../core.js';
import { ApiError } from '../http/api-error.js';
import type { ApiReply, ApiRequest } from '../http/api-request.js';

export const coordinateEndpoints: readonly Endpoint[] = [
  { path: '/v1/coordinate/nodes', methods: { GET: nodes } },
  { path: '/v1/coordinate/node/', methods: { GET: node } },
  { path: '/v1/coordinate/datacenters', methods: { GET: datacenters } },
  { path: '/v1/coordinate/update', methods: { PUT: update } },
];

const COORDINATES = 'coordinates';
/** Of a server that knows no other. */
export const OWN_COORDINATE = {
  Vec: [0, 0, 0, 0, 0, 0, 0, 0],
  Error: 1.5,
  Adjustment: 0,
  Height: 0.00001,
};

async function nodes(core: Core, request: ApiRequest): Promise<ApiReply> {
  const { headers, body } = await readOwn(core, request);
  return { headers, json: body };
}

async function node(core: Core, request: ApiRequest): Promise<ApiReply> {
  const { headers, body } = await readOwn(core, request);
  return request.rest === core.options.identity.node && body.length > 0
    ? { headers, json: body }
    : { status: 404, headers };
}

/** A server alone has one coordinate, its own, which it never changes. */
function readOwn(
  core: Core,
  request: ApiRequest,
): Promise<{ headers: Record<string, string>; body: readonly object[] }> {
  const authorizer = core.serversAuthorizer(request);
  const { node: name } = core.options.identity;
  return core.read(
    request,
    () => [COORDINATES],
    () => ({
      index: core.indexes.of(NODES),
      body: authorizer.may('node', name, 'read') ? [ownCoordinate(name)] : [],
    }),
  );
}

const ownCoordinate = (node: string): object => ({ Node: node, Segment: '', Coord: OWN_COORDINATE });

function datacenters(core: Core): ApiReply {
  const { datacenter, node: name } = core.options.identity;
  return { json: [{ Datacenter: datacenter, AreaID: 'wan', Coordinates: [ownCoordinate(name)] }] };
}

function update(): never {
  throw new ApiError(501, 'embedded-consul: PUT /v1/coordinate/update is not implemented');
}
