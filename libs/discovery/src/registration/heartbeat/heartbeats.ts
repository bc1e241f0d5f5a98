import type { ServiceRegistration } from '../../registry/service-registration.js';

/** Receives what a heartbeat finds out. */
export interface HeartbeatListener {
  /** The registry does not have the check any more. */
  readonly onLost: () => void;
  /** The event loop was blocked for this many milliseconds. */
  readonly onStall: (lagMs: number) => void;
  /** Called with an error when so many heartbeats failed that the check may expire, and with undefined when they arrive again. */
  readonly onFailing: (error: unknown) => void;
}

/** Reports the app's health to the TTL checks of a registration. */
export interface Heartbeats {
  start(registration: ServiceRegistration, listener: HeartbeatListener): void;
  /** Resolves when no heartbeat is in flight. */
  stop(): Promise<void>;
}
