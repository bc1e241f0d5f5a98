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

/** A server alone measures no distance to others: it has no coordinates. */
async function nodes(core: Core, request: ApiRequest): Promise<ApiReply> {
  const { headers } = await readNone(core, request);
  return { headers, json: [] };
}

async function node(core: Core, request: ApiRequest): Promise<ApiReply> {
  const { headers } = await readNone(core, request);
  return { status: 404, headers };
}

function readNone(core: Core, request: ApiRequest): Promise<{ headers: Record<string, string> }> {
  core.serversAuthorizer(request);
  return core.read(
    request,
    () => [COORDINATES],
    () => ({ index: 1, body: undefined }),
  );
}

function datacenters(core: Core): ApiReply {
  const { datacenter, node: name } = core.options.identity;
  const own = { Node: name, Segment: '', Coord: OWN_COORDINATE };
  return { json: [{ Datacenter: datacenter, AreaID: 'wan', Coordinates: [own] }] };
}

function update(): never {
  throw new ApiError(501, 'embedded-consul: PUT /v1/coordinate/update is not implemented');
}
