/** What the page shows of an app: plain data, sent as JSON. */
export interface AppState {
  readonly app: AppIdentity;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly registrations: readonly RegistrationState[];
  readonly services: readonly ServiceCard[];
  /** What other parts of the app add: locks, elections, alerts, configuration. */
  readonly sections: Readonly<Record<string, unknown>>;
  /** Whether operations are allowed. */
  readonly operations: boolean;
  readonly scope: 'app' | 'all';
}

export interface AppIdentity {
  /** Undefined: it only discovers. */
  readonly service: string | undefined;
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly startedAt: number;
}

export interface RegistrationState {
  readonly service: string | undefined;
  readonly id: string | undefined;
  readonly state: string;
  readonly reason: string | undefined;
}

export interface ServiceCard {
  readonly name: string;
  readonly usable: number;
  readonly ageMs: number | undefined;
  readonly error: string | undefined;
  readonly calls: CallFigures | undefined;
  /** Calls a second, and their p99 in milliseconds, of the last minute: one value for each second, the newest last. */
  readonly rates: readonly number[];
  readonly latencies: readonly number[];
  readonly failures: readonly number[];
  readonly circuit: string | undefined;
  readonly instances: readonly InstanceCard[];
}

export interface CallFigures {
  readonly perSecond: number;
  readonly failedPerSecond: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly inFlight: number;
}

export interface InstanceCard {
  /** Distinguishes it from others of the service: ids may be the same in two datacenters. */
  readonly key: string;
  readonly id: string;
  readonly address: string;
  /** Of `InstanceState`. */
  readonly state: string;
  readonly reason: string;
  /** Since when it is in this state, as far as this app knows. */
  readonly since: number;
  readonly zone: string | undefined;
  readonly weight: number;
  readonly latencyMs: number | undefined;
  readonly successRate: number | undefined;
  readonly inFlight: number | undefined;
  /** Its states in the last ten minutes: when each began. */
  readonly history: readonly (readonly [at: number, state: string])[];
}

/** What has changed since the last message. */
export interface StatePatch {
  readonly at: number;
  readonly registrations?: readonly RegistrationState[];
  readonly services: readonly ServiceCard[];
  readonly removed: readonly string[];
  readonly sections?: Readonly<Record<string, unknown>>;
}

/** What one app answered, or why it did not. */
export interface PeerState {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly state?: AppState;
  readonly error?: string;
}

export interface SystemState {
  readonly peers: readonly PeerState[];
  /** How many were not asked. */
  readonly left: number;
}
