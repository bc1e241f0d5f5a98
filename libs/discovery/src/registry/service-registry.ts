import { InstanceSource } from './instance-source.js';
import type { CheckStatus, RegistrationRecord, ServiceRegistration } from './service-registration.js';
import type { WorkerReporterSource } from './worker-reporter.js';

/** `unlisted`: the registry holds it, and those who look for it are not shown it. */
export type RegistrationChange = 'changed' | 'unlisted';

/**
 * The port to a registry: where instances are looked up, and where this app is registered. What makes it safe (the repair
 * of a lost registration among it) is written once, in the core, above it.
 */
export abstract class ServiceRegistry extends InstanceSource {
  /** The host we would dial, to find the interface that routes to it. Undefined: a local socket file. */
  abstract readonly host: string | undefined;

  /** True when an instance registered without an address is given its node's. */
  abstract readonly knowsNodeAddress: boolean;

  /**
   * How many connections to the registry have ended. What is gone after that was lost by the registry, which may have
   * been restarted, and not taken out by somebody.
   */
  abstract get lostConnections(): number;

  /** Idempotent: registering what is there already changes nothing. */
  abstract register(registration: ServiceRegistration, signal: AbortSignal): Promise<void>;

  /** Idempotent: an id that is not registered is no error. */
  abstract deregister(id: string, signal: AbortSignal): Promise<void>;

  /**
   * What the registry holds under the registration's id; undefined: nothing.
   *
   * @throws DiscoveryError `RK_ID_CONFLICT` when one of its checks belongs to another instance
   */
  abstract inspect(
    registration: ServiceRegistration,
    signal: AbortSignal,
  ): Promise<RegistrationRecord | undefined>;

  /**
   * Resolves when what `inspect` saw may no longer hold, and costs next to nothing while it does. It rejects on any
   * error; the caller then inspects again.
   */
  abstract untilChanged(
    registration: ServiceRegistration,
    record: RegistrationRecord,
    signal: AbortSignal,
  ): Promise<RegistrationChange>;

  /**
   * Reports the state of a TTL check.
   *
   * @throws DiscoveryError `RK_NOT_FOUND` when the registry has no such check (any more)
   */
  abstract report(checkId: string, status: CheckStatus, output: string, signal: AbortSignal): Promise<void>;

  /** How a worker thread can report to TTL checks. Undefined: it cannot. */
  workerReporter(): WorkerReporterSource | undefined {
    return undefined;
  }

  /** Takes a registered instance out of use for a reason; undefined puts it back. */
  abstract setMaintenance(id: string, reason: string | undefined, signal: AbortSignal): Promise<void>;
}
