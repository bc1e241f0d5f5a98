import type { InstanceStatus } from './service-instance.js';

/** The states of a check; an instance in maintenance has a check that is critical. */
export type CheckStatus = 'passing' | 'warning' | 'critical';

/** What decides, in the registry's eyes, whether an instance is healthy. Durations are milliseconds. */
export type RegistrationCheck = HttpCheck | TcpCheck | GrpcCheck | TtlCheck | ScriptCheck | AliasCheck;

interface AnyCheck {
  /** Unique among all checks of the agent: it starts with the instance's id. */
  readonly id: string;
  readonly name: string;
  /** For people. */
  readonly notes?: string | undefined;
  /** The state in which it starts. Undefined: that of the registration. */
  readonly status?: CheckStatus | undefined;
  /** How long the check may be critical before the registry drops the instance. */
  readonly deregisterCriticalServiceAfter?: number | undefined;
  /** How many good results in a row it takes to be *passing* again. */
  readonly successBeforePassing?: number | undefined;
  /** How many bad results in a row it takes to be *critical*. */
  readonly failuresBeforeCritical?: number | undefined;
}

interface PolledCheck extends AnyCheck {
  readonly interval: number;
  readonly timeout: number;
}

export interface HttpCheck extends PolledCheck {
  readonly type: 'http';
  readonly url: string;
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly tlsSkipVerify: boolean;
}

export interface TcpCheck extends PolledCheck {
  readonly type: 'tcp';
  readonly address: string;
}

/** Calls the standard health service, `grpc.health.v1.Health/Check`. */
export interface GrpcCheck extends PolledCheck {
  readonly type: 'grpc';
  /** `host:port`, or `host:port/service`. */
  readonly address: string;
  readonly useTls: boolean;
  readonly tlsSkipVerify: boolean;
}

/** The app reports its own health; without a report for so long it is critical. */
export interface TtlCheck extends AnyCheck {
  readonly type: 'ttl';
  readonly ttl: number;
}

export interface ScriptCheck extends PolledCheck {
  readonly type: 'script';
  readonly args: readonly string[];
}

/** As healthy as another instance of the agent, or as a whole node. */
export interface AliasCheck extends AnyCheck {
  readonly type: 'alias';
  /** Id of that instance. */
  readonly service?: string | undefined;
  readonly node?: string | undefined;
}

export interface TaggedAddress {
  readonly address: string;
  readonly port: number;
}

/** What a registry holds of an instance, besides its id and its checks. */
interface RegisteredInstance {
  readonly service: string;
  /** Undefined: the address of the registry's node, which is right when the agent runs on our own host. */
  readonly address: string | undefined;
  readonly port: number;
  readonly secure: boolean;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  /** Other ways to it by name, such as `lan` and `wan`. */
  readonly taggedAddresses: Readonly<Record<string, TaggedAddress>>;
  /** Why it is out of use though it is registered; undefined when it is in use. */
  readonly maintenance: string | undefined;
}

/** The desired state: what the registry is to hold of us. */
export interface ServiceRegistration extends RegisteredInstance {
  readonly id: string;
  readonly weights: { readonly passing: number; readonly warning: number } | undefined;
  readonly checks: readonly RegistrationCheck[];
  /** The state in which it starts, before the registry's first check. */
  readonly status: CheckStatus;
}

/** The actual state: what the registry holds under an id. */
export interface RegistrationRecord extends RegisteredInstance {
  readonly weights: { readonly passing: number; readonly warning: number };
  /** Without the one that stands for maintenance. Undefined: a registry that has no checks. */
  readonly checks: readonly Pick<RegistrationCheck, 'id' | 'name' | 'notes'>[] | undefined;
  readonly status: InstanceStatus;
}
