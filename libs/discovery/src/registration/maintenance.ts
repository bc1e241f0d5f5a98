import type { RegistrationRecord, ServiceRegistration } from '../registry/service-registration.js';
import { driftOf, isElsewhere } from './registration-drift.js';

/** The maintenance of one registration: set by this app, or by an operator through the registry. */
export class Maintenance {
  #reason: string | undefined;
  /** It was set by this app, and the registry does not show it yet. */
  #isPending = false;

  /** Undefined: not in maintenance. */
  get reason(): string | undefined {
    return this.#reason;
  }

  set(reason: string | undefined): void {
    this.#reason = reason;
    this.#isPending = true;
  }

  /** Adopts the maintenance that an operator set; it is restored when the registry loses the registration. */
  adopt(planned: ServiceRegistration, actual: RegistrationRecord, justRegistered: boolean): void {
    if (this.#isPending) {
      this.#isPending = (actual.maintenance === undefined) !== (this.#reason === undefined);
      return;
    }
    // It is gone, and neither our own registration nor another client's has removed it: an operator ended it.
    const wasEnded = !justRegistered && driftOf(planned, actual).length === 0;
    const isSet = actual.maintenance !== undefined && !isElsewhere(planned, actual);
    if (isSet || wasEnded) this.#reason = actual.maintenance;
  }
}
