/** The types of Consul's HTTP API, with its own field names; fields that newer versions add are not listed. */
import type { CheckStatus } from '@rookery/discovery/adapter';

/** `PUT /v1/agent/service/register`. Durations are strings such as `10s`. */
export interface ServiceDefinition {
  ID?: string;
  Name: string;
  Tags?: readonly string[];
  Port?: number;
  Address?: string;
  Meta?: Readonly<Record<string, string>>;
  TaggedAddresses?: Readonly<Record<string, { Address: string; Port: number }>>;
  EnableTagOverride?: boolean;
  Weights?: { Passing: number; Warning: number };
  Connect?: { Native: boolean };
  Checks?: readonly CheckDefinition[];
}

/** A check within a `ServiceDefinition`. */
export interface CheckDefinition {
  CheckID?: string;
  Name?: string;
  Notes?: string;
  Status?: CheckStatus;
  TTL?: string;
  HTTP?: string;
  Method?: string;
  Header?: Readonly<Record<string, readonly string[]>>;
  Body?: string;
  TLSSkipVerify?: boolean;
  TCP?: string;
  GRPC?: string;
  GRPCUseTLS?: boolean;
  AliasService?: string;
  AliasNode?: string;
  ScriptArgs?: readonly string[];
  Interval?: string;
  Timeout?: string;
  SuccessBeforePassing?: number;
  FailuresBeforeCritical?: number;
  DeregisterCriticalServiceAfter?: string;
}

/** A service as the agent that holds it describes it. */
export interface AgentService {
  ID: string;
  Service: string;
  Tags: string[] | null;
  Meta: Record<string, string> | null;
  Port: number;
  Address: string;
  Weights: { Passing: number; Warning: number };
  EnableTagOverride: boolean;
  Connect?: { Native?: boolean } | null;
  TaggedAddresses?: Record<string, { Address: string; Port: number }>;
  ContentHash?: string;
}

export interface AgentSelf {
  Config: { Datacenter: string; NodeName: string; NodeID: string; Server: boolean; Version: string };
  Member: { Name: string; Addr: string; Status: number };
  Meta: Record<string, string> | null;
}

/** A check as the agent or the catalog describes it. */
export interface HealthCheck {
  Node: string;
  CheckID: string;
  Name: string;
  Status: CheckStatus;
  Notes: string;
  Output: string;
  ServiceID: string;
  ServiceName: string;
  ServiceTags: string[] | null;
  Type?: string;
}

export interface CatalogNode {
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  TaggedAddresses: Record<string, string> | null;
  Meta: Record<string, string> | null;
}

/** One instance: its node, itself, and every check of both. */
export interface ServiceEntry {
  Node: CatalogNode;
  Service: AgentService;
  /** Null in the result of a prepared query that found none. */
  Checks: HealthCheck[] | null;
}

/** One instance of `GET /v1/catalog/service/:name`, flat. */
export interface CatalogService {
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  NodeMeta: Record<string, string> | null;
  ServiceID: string;
  ServiceName: string;
  ServiceAddress: string;
  ServicePort: number;
  ServiceTags: string[] | null;
  ServiceMeta: Record<string, string> | null;
  ServiceWeights: { Passing: number; Warning: number };
}

/** `PUT /v1/catalog/deregister`. */
export interface CatalogDeregistration {
  Node: string;
  ServiceID?: string;
  CheckID?: string;
  Datacenter?: string;
}

/** An entry of the key-value store, its value decoded. */
export interface KvEntry {
  key: string;
  /** Empty when the key has no value. */
  value: Buffer;
  /** A number of the application. Above 2^53 JSON loses its last digits. */
  flags: number;
  createIndex: number;
  /** For `cas`. At the acquisition of a lock it is the fencing token. */
  modifyIndex: number;
  lockIndex: number;
  /** Id of the session that holds the key as a lock. */
  session: string | undefined;
}

/** One operation of `PUT /v1/txn`; `Value` is base64. */
export interface TxnOperation {
  KV: {
    Verb:
      | 'set'
      | 'cas'
      | 'lock'
      | 'unlock'
      | 'get'
      | 'get-tree'
      | 'check-index'
      | 'check-session'
      | 'check-not-exists'
      | 'delete'
      | 'delete-tree'
      | 'delete-cas';
    Key: string;
    Value?: string;
    /** Above 2^53 as a bigint. */
    Flags?: number | bigint;
    Index?: number;
    Session?: string;
  };
}

export interface TxnResult {
  KV: {
    Key: string;
    Value: string | null;
    Flags: number;
    LockIndex: number;
    CreateIndex: number;
    ModifyIndex: number;
    Session?: string;
  };
}

export interface TxnOutcome {
  /** False: everything was rolled back. */
  committed: boolean;
  results: TxnResult[];
  /** Which operation failed, by its position in the request, and why. */
  errors: { OpIndex: number; What: string }[];
}

/** `PUT /v1/session/create`. */
export interface SessionDefinition {
  Name?: string;
  /** `10s` to `86400s`; Consul waits up to twice as long before it invalidates the session. */
  TTL?: string;
  /** How long a lock cannot be acquired after its session was invalidated. Default: `15s`. */
  LockDelay?: string;
  /** What happens to the held keys. Default: `release`. */
  Behavior?: 'release' | 'delete';
  NodeChecks?: readonly string[];
  ServiceChecks?: readonly { ID: string; Namespace?: string }[];
}

export interface Session {
  ID: string;
  Name: string;
  Node: string;
  /** Nanoseconds. */
  LockDelay: number;
  Behavior: string;
  TTL: string;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface PreparedQueryResult {
  Service: string;
  Nodes: ServiceEntry[];
  Datacenter: string;
  Failovers: number;
}

/** A token that a login has made. */
export interface LoginResult {
  readonly secret: string;
  /** How long it is valid, in milliseconds; undefined: until the logout. */
  readonly validForMs: number | undefined;
}

export interface AclLogin {
  /** The name of the auth method. */
  readonly method: string;
  /** What the auth method verifies: a JWT. */
  readonly bearerToken: string;
  readonly meta?: Readonly<Record<string, string>> | undefined;
}

/** `GET /v1/agent/connect/ca/roots`. */
export interface ConnectRoots {
  ActiveRootID: string;
  /** The host of the URIs of its certificates. */
  TrustDomain: string;
  Roots: { ID: string; Active: boolean; RootCert: string }[] | null;
}

/** `GET /v1/agent/connect/ca/leaf/:service`. */
export interface ConnectLeaf {
  SerialNumber: string;
  /** With the certificates between it and an authority. */
  CertPEM: string;
  PrivateKeyPEM: string;
  ServiceURI: string;
  ValidAfter: string;
  ValidBefore: string;
}

/** Whether a service may call another. */
export interface ConnectIntention {
  SourceName: string;
  SourceNS?: string;
  /** Of another cluster. */
  SourcePeer?: string;
  SourcePartition?: string;
  DestinationName: string;
  /** Empty where `Permissions` decide by the request. */
  Action?: string;
  Permissions?: readonly unknown[] | null;
  Precedence: number;
}

export interface ConnectAuthorization {
  Authorized: boolean;
  Reason: string;
}
