import {
  goAny,
  goArray,
  goBool,
  goDuration,
  goInt,
  goMap,
  goString,
  type GoStruct,
  type GoType,
} from '../json/go-json-decoder.js';

const checkFields: Record<string, GoType> = {
  CheckID: goString,
  Name: goString,
  Status: goString,
  Notes: goString,
  ScriptArgs: goArray(goString),
  Args: goArray(goString),
  HTTP: goString,
  Header: goMap(goArray(goString), 'map[string][]string'),
  Method: goString,
  Body: goString,
  TCP: goString,
  Interval: goDuration,
  AliasNode: goString,
  AliasService: goString,
  DockerContainerID: goString,
  Shell: goString,
  GRPC: goString,
  GRPCUseTLS: goBool,
  TLSSkipVerify: goBool,
  Timeout: goDuration,
  TTL: goDuration,
  SuccessBeforePassing: goInt,
  FailuresBeforeCritical: goInt,
  ProxyHTTP: goString,
  ProxyGRPC: goString,
  DeregisterCriticalServiceAfter: goDuration,
  OutputMaxSize: goInt,
};
const checkAliases: Record<string, string> = {
  args: 'Args',
  script_args: 'ScriptArgs',
  deregister_critical_service_after: 'DeregisterCriticalServiceAfter',
  docker_container_id: 'DockerContainerID',
  tls_skip_verify: 'TLSSkipVerify',
};
const SHARED_TYPE =
  'Interval interface {}; Timeout interface {}; TTL interface {}; DeregisterCriticalServiceAfter interface {}; ' +
  'Args []string "json:\\"args\\""; ScriptArgsSnake []string "json:\\"script_args\\""; ' +
  'DeregisterCriticalServiceAfterSnake interface {} "json:\\"deregister_critical_service_after\\""; ' +
  'DockerContainerIDSnake string "json:\\"docker_container_id\\""; ' +
  'TLSSkipVerifySnake bool "json:\\"tls_skip_verify\\""; ';

/** A check within a service. */
const checkOfService: GoStruct = {
  kind: 'struct',
  name:
    `struct { ${SHARED_TYPE}ServiceID string "json:\\"ServiceID\\""; ` +
    'ServiceIDSnake string "json:\\"service_id\\""; *structs.Alias }',
  errorName: '',
  opaque: true,
  fields: { ...checkFields, ServiceID: goString },
  aliases: { ...checkAliases, service_id: 'ServiceID' },
};

/** `PUT /v1/agent/check/register`: here the id is called `ID`. */
export const checkDefinition: GoStruct = {
  kind: 'struct',
  name: `struct { ${SHARED_TYPE}ServiceIDSnake string "json:\\"service_id\\""; *structs.Alias }`,
  errorName: '',
  fields: { ...withoutCheckId(checkFields), ID: goString, Token: goString, ServiceID: goString },
  aliases: { ...checkAliases, service_id: 'ServiceID' },
};

export const serviceAddress: GoStruct = {
  kind: 'struct',
  name: 'structs.ServiceAddress',
  errorName: 'ServiceAddress',
  fields: { Address: goString, Port: goInt },
};

const proxyDefinition: GoStruct = {
  kind: 'struct',
  name: 'structs.ConnectProxyConfig',
  errorName: 'ConnectProxyConfig',
  fields: {
    DestinationServiceName: goString,
    DestinationServiceID: goString,
    LocalServiceAddress: goString,
    LocalServicePort: goInt,
    Config: goAny,
    Upstreams: goAny,
    MeshGateway: goAny,
    Expose: goAny,
  },
  aliases: {
    destination_service_name: 'DestinationServiceName',
    destination_service_id: 'DestinationServiceID',
    local_service_address: 'LocalServiceAddress',
    local_service_port: 'LocalServicePort',
    mesh_gateway: 'MeshGateway',
  },
};

export const serviceWeights: GoStruct = {
  kind: 'struct',
  name: 'structs.Weights',
  errorName: 'Weights',
  fields: { Passing: goInt, Warning: goInt },
};

/** Without what makes a service part of the mesh. */
const plainService: GoStruct = {
  kind: 'struct',
  name:
    'struct { EnableTagOverrideSnake bool "json:\\"enable_tag_override\\""; ' +
    'TaggedAddressesSnake map[string]structs.ServiceAddress "json:\\"tagged_addresses\\""; *structs.Alias }',
  errorName: '',
  fields: {
    Kind: goString,
    ID: goString,
    Name: goString,
    Tags: goArray(goString),
    Address: goString,
    TaggedAddresses: goMap(serviceAddress, 'map[string]structs.ServiceAddress'),
    Meta: goMap(goString),
    Port: goInt,
    Check: checkOfService,
    Checks: goArray(checkOfService, 'structs.CheckTypes'),
    Weights: serviceWeights,
    Token: goString,
    EnableTagOverride: goBool,
    Proxy: proxyDefinition,
  },
  aliases: { enable_tag_override: 'EnableTagOverride', tagged_addresses: 'TaggedAddresses' },
};

/** `PUT /v1/agent/service/register`. */
export const serviceDefinition: GoStruct = {
  ...plainService,
  fields: {
    ...plainService.fields,
    Connect: {
      kind: 'struct',
      name: 'structs.ServiceConnect',
      errorName: 'ServiceConnect',
      opaque: true,
      lenient: true,
      fields: {
        Native: goBool,
        SidecarService: {
          ...plainService,
          lenient: true,
          fields: { ...plainService.fields, Connect: goAny },
        },
      },
      aliases: { sidecar_service: 'SidecarService' },
    },
  },
};

export const checkUpdate: GoStruct = {
  kind: 'struct',
  name: 'agent.checkUpdate',
  errorName: 'checkUpdate',
  fields: { Status: goString, Output: goString },
};

/** As decoded; durations in milliseconds. */
export interface CheckBody {
  ID?: string;
  CheckID?: string;
  Name?: string;
  Status?: string;
  Notes?: string;
  ServiceID?: string;
  ScriptArgs?: string[];
  Args?: string[];
  HTTP?: string;
  Header?: Record<string, string[]>;
  Method?: string;
  Body?: string;
  TCP?: string;
  GRPC?: string;
  GRPCUseTLS?: boolean;
  AliasNode?: string;
  AliasService?: string;
  DockerContainerID?: string;
  TLSSkipVerify?: boolean;
  Interval?: number;
  Timeout?: number;
  TTL?: number;
  SuccessBeforePassing?: number;
  FailuresBeforeCritical?: number;
  DeregisterCriticalServiceAfter?: number;
  OutputMaxSize?: number;
}

export interface ServiceBody {
  Kind?: string;
  ID?: string;
  Name?: string;
  Tags?: string[];
  Address?: string;
  TaggedAddresses?: Record<string, { Address?: string; Port?: number }>;
  Meta?: Record<string, string>;
  Port?: number;
  Check?: CheckBody;
  Checks?: CheckBody[];
  Weights?: { Passing?: number; Warning?: number };
  EnableTagOverride?: boolean;
  Connect?: { Native?: boolean; SidecarService?: ServiceBody };
  Proxy?: ProxyBody;
}

export interface ProxyBody {
  DestinationServiceName?: string;
  DestinationServiceID?: string;
  LocalServiceAddress?: string;
  LocalServicePort?: number;
  Config?: Record<string, unknown>;
  Upstreams?: object;
  MeshGateway?: object;
  Expose?: object;
}

function withoutCheckId(fields: Record<string, GoType>): Record<string, GoType> {
  const { CheckID: _, ...rest } = fields;
  return rest;
}
