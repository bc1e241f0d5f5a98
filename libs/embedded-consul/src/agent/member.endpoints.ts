import { availableParallelism } from 'node:os';
import { OWN_COORDINATE } from '../coordinate/coordinate.endpoints.js';
import type { Core, Endpoint } from '../core.js';
import { permissionDenied, serverError } from '../http/api-error.js';
import { has, parameter, type ApiReply, type ApiRequest } from '../http/api-request.js';
import { serverAddress } from '../status/status.endpoints.js';

export const memberEndpoints: readonly Endpoint[] = [
  { path: '/v1/agent/self', methods: { GET: self } },
  { path: '/v1/agent/members', methods: { GET: members } },
];

/** Of the protocol by which servers find each other. Nothing listens there. */
const SERF = { lan: 8301, wan: 8302 };

function self(core: Core, request: ApiRequest): ApiReply {
  const { identity, acl } = core.options;
  const { node, nodeId, datacenter } = identity;
  if (!core.authorizer(request).may('agent', node, 'read')) throw permissionDenied();
  return {
    json: {
      Config: {
        Datacenter: datacenter,
        NodeName: node,
        NodeID: nodeId,
        Revision: '',
        Server: true,
        Version: '1.8.7',
      },
      DebugConfig: {
        ACLDefaultPolicy: acl.enabled ? acl.defaultPolicy : 'allow',
        ACLsEnabled: acl.enabled,
        AdvertiseAddrLAN: identity.address,
        Datacenter: datacenter,
        DevMode: true,
        EnableDebug: true,
        EnableLocalScriptChecks: core.options.enableScriptChecks,
        EnableRemoteScriptChecks: core.options.enableScriptChecks,
        HTTPAddrs: [`tcp://${identity.address}:${core.httpPort}`],
        HTTPPort: core.httpPort,
        NodeID: nodeId,
        NodeMeta: identity.nodeMeta,
        NodeName: node,
        ServerMode: true,
        ServerPort: core.options.port,
      },
      Coord: OWN_COORDINATE,
      Member: member(core, false),
      Stats: stats(core),
      Meta: { ...identity.nodeMeta, 'consul-network-segment': '' },
    },
  };
}

/** Of one member that has seen nothing. */
const SERF_STATS = {
  coordinate_resets: '0',
  encrypted: 'false',
  event_queue: '0',
  event_time: '1',
  failed: '0',
  health_score: '0',
  intent_queue: '0',
  left: '0',
  member_time: '1',
  members: '1',
  query_queue: '0',
  query_time: '1',
};

/** What a client looks at: whether there is a leader, and how much is registered. */
function stats(core: Core): Record<string, Record<string, string>> {
  const { acl } = core.options;
  const kinds = [...core.agent.checks.values()].map(({ type }) => type);
  const last = String(core.indexes.last);
  return {
    agent: {
      check_monitors: '0',
      check_ttls: String(kinds.filter((type) => type === 'ttl').length),
      checks: String(kinds.length),
      services: String(core.agent.services.size),
    },
    build: { prerelease: '', revision: '', version: '1.8.7' },
    consul: {
      acl: acl.enabled ? 'enabled' : 'disabled',
      bootstrap: 'false',
      known_datacenters: '1',
      leader: String(core.distortion.leader),
      leader_addr: core.distortion.leader ? serverAddress(core) : '',
      server: 'true',
    },
    raft: {
      applied_index: last,
      commit_index: last,
      fsm_pending: '0',
      last_contact: '0',
      last_log_index: last,
      last_log_term: '2',
      last_snapshot_index: '0',
      last_snapshot_term: '0',
      latest_configuration: `[{Suffrage:Voter ID:${core.options.identity.nodeId} Address:${serverAddress(core)}}]`,
      latest_configuration_index: '0',
      num_peers: '0',
      protocol_version: '3',
      protocol_version_max: '3',
      protocol_version_min: '0',
      snapshot_version_max: '1',
      snapshot_version_min: '0',
      state: core.distortion.leader ? 'Leader' : 'Follower',
      term: '2',
    },
    runtime: {
      arch: process.arch,
      cpu_count: String(availableParallelism()),
      goroutines: '1',
      max_procs: '1',
      os: process.platform,
      version: process.version,
    },
    serf_lan: SERF_STATS,
    serf_wan: SERF_STATS,
  };
}

function members(core: Core, request: ApiRequest): ApiReply {
  const { node } = core.options.identity;
  const isWan = has(request, 'wan');
  const segment = parameter(request, 'segment');
  if (segment !== '' && segment !== '_all')
    throw serverError('Network segments are not supported in this version of Consul');
  return { json: core.authorizer(request).may('node', node, 'read') ? [member(core, isWan)] : [] };
}

function member({ options: { identity, port, acl } }: Core, isWan: boolean): object {
  const { node, nodeId, datacenter, address } = identity;
  return {
    Name: isWan ? `${node}.${datacenter}` : node,
    Addr: address,
    Port: isWan ? SERF.wan : SERF.lan,
    Tags: {
      acls: acl.enabled ? '1' : '0',
      build: '1.8.7:',
      dc: datacenter,
      ft_fs: '1',
      id: nodeId,
      port: String(port),
      raft_vsn: '3',
      role: 'consul',
      segment: '',
      vsn: '2',
      vsn_max: '3',
      vsn_min: '2',
      ...(isWan ? {} : { wan_join_port: String(SERF.wan) }),
    },
    Status: 1,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}
