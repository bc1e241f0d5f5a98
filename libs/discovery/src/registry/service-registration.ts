/** What decides, in the registry's eyes, whether an instance is healthy. Durations are milliseconds. */
export type RegistrationCheck = HttpCheck | TcpCheck;

interface PolledCheck {
  /** Unique among all checks of the agent: it starts with the instance's id. */
  readonly id: string;
  readonly name: string;
  readonly interval: number;
  readonly timeout: number;
  /** How long the check may be critical before the registry drops the instance. */
  readonly deregisterCriticalServiceAfter: number | undefined;
}

export interface HttpCheck extends PolledCheck {
  readonly type: 'http';
  readonly url: string;
  readonly method: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly tlsSkipVerify: boolean;
}

export interface TcpCheck extends PolledCheck {
  readonly type: 'tcp';
  readonly address: string;
}

/** The desired state: what the registry is to hold of us. */
export interface ServiceRegistration {
  readonly id: string;
  readonly service: string;
  /** Undefined: the address of the registry's node, which is right when the agent runs on our own host. */
  readonly address: string | undefined;
  readonly port: number;
  readonly secure: boolean;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly weights: { readonly passing: number; readonly warning: number } | undefined;
  readonly checks: readonly RegistrationCheck[];
  /** The state in which it starts, before the registry's first check. */
  readonly status: 'passing' | 'critical';
}
