import type { ServiceRegistration } from '../../registry/service-registration.js';

/** Who is told of what a heartbeat finds. */
export interface HeartbeatListener {
  /** The registry does not have the check any more. */
  readonly onLost: () => void;
  /** The event loop stood still for so long, in milliseconds. */
  readonly onStall: (lag: number) => void;
  /** Beats do not arrive: an error, after so many that the check may run out; undefined when they do again. */
  readonly onTrouble: (error: unknown) => void;
}

/** Whatever reports to the registry's TTL checks. */
export interface Heartbeats {
  start(registration: ServiceRegistration, listener: HeartbeatListener): void;
  /** Resolves when no beat is on its way any more. */
  stop(): Promise<void>;
}
