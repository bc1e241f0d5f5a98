import type { ServiceRegistration } from '../registry/service-registration.js';

/** Whatever reports to the registry's TTL checks. */
export interface Heartbeats {
  start(registration: ServiceRegistration, onLost: () => void, onStall: (lag: number) => void): void;
  /** Resolves when no beat is on its way any more. */
  stop(): Promise<void>;
}
