import type { Core, Endpoint } from '../core.js';
import { ApiError, permissionDenied } from '../http/api-error.js';
import { decodeBody, has, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { formatGoDuration } from '../json/go-duration.js';
import { goAny, goBool, goDuration, goInt, goString, type GoStruct } from '../json/go-json-decoder.js';
import type { Autopilot } from './autopilot.js';
import { serverAddress } from '../status/status.endpoints.js';

export const operatorEndpoints: readonly Endpoint[] = [
  { path: '/v1/operator/raft/configuration', methods: { GET: raft } },
  { path: '/v1/operator/autopilot/configuration', methods: { GET: autopilot, PUT: changeAutopilot } },
];

const autopilotType: GoStruct = {
  kind: 'struct',
  name: 'api.AutopilotConfiguration',
  errorName: 'AutopilotConfiguration',
  fields: {
    CleanupDeadServers: goBool,
    LastContactThreshold: goDuration,
    MaxTrailingLogs: goInt,
    MinQuorum: goInt,
    ServerStabilizationTime: goDuration,
    RedundancyZoneTag: goString,
    DisableUpgradeMigration: goBool,
    UpgradeVersionTag: goString,
    CreateIndex: goInt,
    ModifyIndex: goInt,
    Namespace: goAny,
  },
};

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
  return { json: core.autopilot };
}

type Durations = 'LastContactThreshold' | 'ServerStabilizationTime';

function changeAutopilot(core: Core, request: ApiRequest): ApiReply {
  core.datacenter(request);
  const prefix = 'Bad request: Error parsing autopilot config: ';
  const body = decodeBody(request, autopilotType, prefix) as Partial<
    Omit<Autopilot, Durations> & Record<Durations, number>
  >;
  const cas = parameter(request, 'cas');
  if (has(request, 'cas') && !/^\d+$/.test(cas))
    throw new ApiError(
      400,
      `Bad request: Error parsing cas value: strconv.ParseUint: parsing ${JSON.stringify(cas)}: invalid syntax`,
    );
  requireOperator(core, request, 'write');
  core.requireLeader();
  if (has(request, 'cas') && Number(cas) !== core.autopilot.ModifyIndex) return { json: false };
  core.autopilot = {
    CleanupDeadServers: body.CleanupDeadServers ?? false,
    LastContactThreshold: formatGoDuration(body.LastContactThreshold ?? 0),
    MaxTrailingLogs: body.MaxTrailingLogs ?? 0,
    MinQuorum: body.MinQuorum ?? 0,
    ServerStabilizationTime: formatGoDuration(body.ServerStabilizationTime ?? 0),
    RedundancyZoneTag: body.RedundancyZoneTag ?? '',
    DisableUpgradeMigration: body.DisableUpgradeMigration ?? false,
    UpgradeVersionTag: body.UpgradeVersionTag ?? '',
    CreateIndex: core.autopilot.CreateIndex,
    ModifyIndex: core.indexes.next(),
  };
  return { json: true };
}
