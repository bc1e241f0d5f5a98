import type { Core, Endpoint } from '../core.js';
import { ApiError, permissionDenied } from '../http/api-error.js';
import type { ApiReply, ApiRequest } from '../http/api-request.js';
import { serverAddress } from '../status/status.endpoints.js';

export const operatorEndpoints: readonly Endpoint[] = [
  { path: '/v1/operator/raft/configuration', methods: { GET: raft } },
  { path: '/v1/operator/autopilot/configuration', methods: { GET: autopilot, PUT: change } },
];

function requireOperator(core: Core, request: ApiRequest, wanted: 'read' | 'write'): void {
  if (!core.authorizer(request).mayOperator(wanted)) throw permissionDenied();
}

/** One server, which leads. */
function raft(core: Core, request: ApiRequest): ApiReply {
  core.datacenter(request);
  requireOperator(core, request, 'read');
  const { node, nodeId } = core.options.identity;
  const server = {
    ID: nodeId,
    Node: node,
    Address: serverAddress(core),
    Leader: core.distortion.leader,
    ProtocolVersion: '3',
    Voter: true,
  };
  return { json: { Servers: [server], Index: 0 } };
}

function autopilot(core: Core, request: ApiRequest): ApiReply {
  core.datacenter(request);
  requireOperator(core, request, 'read');
  return {
    json: {
      CleanupDeadServers: true,
      LastContactThreshold: '200ms',
      MaxTrailingLogs: 250,
      MinQuorum: 0,
      ServerStabilizationTime: '10s',
      RedundancyZoneTag: '',
      DisableUpgradeMigration: false,
      UpgradeVersionTag: '',
      CreateIndex: 4,
      ModifyIndex: 4,
    },
  };
}

function change(): never {
  throw new ApiError(501, 'embedded-consul: PUT /v1/operator/autopilot/configuration is not implemented');
}
