import type { CallRates } from '../calling/call-statistics.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { InstanceRegistrationStatus } from '../registration/registration-status.js';

/** What an app knows at one moment, for the rules of alerts. */
export interface ObservedApp {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The name that the app is registered as; undefined: it only discovers. */
  readonly name: string | undefined;
  /** The app's own registrations. */
  readonly registrations: readonly InstanceRegistrationStatus[];
  /** Services of this app that are in maintenance; what concerns them is not worth an alert. */
  readonly inMaintenance: ReadonlySet<string>;
  /** The services in use, and those that a rule watches. */
  readonly services: readonly ObservedService[];
  /** Keys of the live configuration whose content cannot be used, and why. */
  readonly rejectedConfig: ReadonlyMap<string, string>;
  /** Locks that are held for longer than their `warnAfter`, and since when. */
  readonly overdueLocks: ReadonlyMap<string, number>;
  /** Registrations that another writer keeps undoing: instance ids, and when that was seen last. */
  readonly contested: ReadonlyMap<string, number>;
}

export interface ObservedService {
  readonly name: string;
  /** Undefined: there is no list yet. */
  readonly instances: readonly ObservedInstance[] | undefined;
  /** Milliseconds since the registry last confirmed the list. */
  readonly ageMs: number | undefined;
  /** Why the list cannot be updated; undefined: it can. */
  readonly error: string | undefined;
  /** Instances that left while they were healthy, and when: a deploy, or a shutdown. */
  readonly departures: readonly number[];
  /** The calls of this app in the last so many milliseconds; undefined: it was not observed for that long, or there were none. */
  readonly calls: (withinMs: number) => CallRates | undefined;
}

export interface ObservedInstance {
  readonly instance: ServiceInstance;
  /** Since when it is in its status. */
  readonly since: number;
  /** Since when this app knows it. */
  readonly knownSince: number;
  /** It was passing at least once since then. */
  readonly hasPassed: boolean;
  /** When its status changed, in the last hour. */
  readonly changes: readonly number[];
}
