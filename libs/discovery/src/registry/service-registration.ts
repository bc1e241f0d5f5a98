import type { InstanceStatus } from './service-instance.js';

/** The states of a check; an instance in maintenance has a check that is critical. */
export type CheckStatus = 'passing' | 'warning' | 'critical';

/** A health check that the registry runs, or waits for, to decide whether an instance is healthy. */
export type RegistrationCheck = HttpCheck | TcpCheck | GrpcCheck | TtlCheck | ScriptCheck | AliasCheck;

interface AnyCheck {
  /** Unique among all checks of the agent: it starts with the instance's id. */
  readonly id: string;
  readonly name: string;
  /** For humans. */
  readonly notes?: string | undefined;
  /** The state in which it starts. Undefined: that of the registration. */
  readonly status?: CheckStatus | undefined;
  /** How long the check may be critical before the registry removes the instance. */
  readonly deregisterCriticalServiceAfterMs?: number | undefined;
  /** Consecutive successes until the check is *passing* again. */
  readonly successBeforePassing?: number | undefined;
  /** Consecutive failures until the check is *critical*. */
  readonly failuresBeforeCritical?: number | undefined;
}

interface PolledCheck extends AnyCheck {
  readonly intervalMs: number;
  readonly timeoutMs: number;
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

/** The app reports its own health; after `ttlMs` without a report the check is critical. */
export interface TtlCheck extends AnyCheck {
  readonly type: 'ttl';
  readonly ttlMs: number;
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

/** What a registry holds about an instance, besides its id and its checks. */
interface RegisteredInstance {
  readonly service: string;
  /** Undefined: the address of the registry's node, which is right when the agent runs on our own host. */
  readonly address: string | undefined;
  readonly port: number;
  readonly secure: boolean;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  /** Other addresses of the instance by name, such as `lan` and `wan`. */
  readonly taggedAddresses: Readonly<Record<string, TaggedAddress>>;
  /** Why the instance is in maintenance; undefined when it is not. */
  readonly maintenance: string | undefined;
}

/** The desired state: what the registry should hold about this app. */
export interface ServiceRegistration extends RegisteredInstance {
  readonly id: string;
  /** Other clients of the registry may change the tags. */
  readonly enableTagOverride: boolean;
  readonly weights: { readonly passing: number; readonly warning: number } | undefined;
  readonly checks: readonly RegistrationCheck[];
  /** The state in which it starts, before the registry's first check. */
  readonly status: CheckStatus;
}

/** The actual state: what the registry holds under an id. */
export interface RegistrationRecord extends RegisteredInstance {
  readonly weights: { readonly passing: number; readonly warning: number };
  /** Without the check that represents maintenance. Undefined: the registry has no checks. */
  readonly checks: readonly Pick<RegistrationCheck, 'id' | 'name' | 'notes'>[] | undefined;
  readonly status: InstanceStatus;
  /** Its critical checks, and what they say. */
  readonly failing: readonly { readonly id: string; readonly output: string }[];
}
