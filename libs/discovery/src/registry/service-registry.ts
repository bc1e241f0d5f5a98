import { InstanceSource } from './instance-source.js';
import type { InstanceStatus } from './service-instance.js';
import type { CheckStatus, RegistrationRecord, ServiceRegistration } from './service-registration.js';
import type { RegistryRequest } from './registry-request.js';
import type { RegistrySwitch } from './registry-switch.js';
import type { WorkerReporterSource } from './worker-reporter.js';

/** `unlisted`: the registry holds the registration, but does not list it to clients. */
export type RegistrationChange = 'changed' | 'unlisted';

/**
 * The interface to a registry, through which instances are looked up and this app is registered. What makes it safe, such as
 * the repair of a lost registration, is written once, in the core.
 */
export abstract class ServiceRegistry extends InstanceSource {
  /** The registry's host, used to find the local interface that routes to it. Undefined: a Unix domain socket. */
  abstract readonly host: string | undefined;

  /** True when an instance that is registered without an address is listed with its node's. */
  abstract readonly knowsNodeAddress: boolean;

  /**
   * How many connections to the registry have ended. A registration that is missing after that was lost by the registry,
   * which may have restarted, and not removed by another client.
   */
  abstract get disconnects(): number;

  /**
   * Another number whenever the credentials of this client have changed. A registry may keep those of a registration and use
   * them later, as Consul's agents do: the core then registers again.
   */
  abstract get credentials(): number;

  /**
   * How often, in milliseconds, it wants to hear of the health of an app that it does not check itself: a service without a `ttl` check gets
   * one of this TTL, and no other. Default: undefined, it runs checks.
   */
  get reportTtlMs(): number | undefined {
    return undefined;
  }

  /** Idempotent: registering the same again changes nothing. */
  abstract register(registration: ServiceRegistration, signal: AbortSignal): Promise<void>;

  /**
   * Resolves when the registry no longer lists the instance. Idempotent: an id that is not registered is not an error.
   *
   * @throws DiscoveryError when the registry still lists it
   */
  abstract deregister(
    registration: Pick<ServiceRegistration, 'id' | 'service'>,
    signal: AbortSignal,
  ): Promise<void>;

  /**
   * What the registry holds under the registration's id; undefined: nothing.
   *
   * @throws DiscoveryError `RK_ID_CONFLICT` when one of its checks belongs to another instance
   */
  abstract read(
    registration: ServiceRegistration,
    signal: AbortSignal,
  ): Promise<RegistrationRecord | undefined>;

  /**
   * Resolves when the record that `read` returned may no longer be current, or the credentials have changed, and costs next
   * to nothing until then. Rejects on any error; the caller then reads again.
   *
   * @param onStatus is called with the health of the instance as clients see it: now, and whenever it changes
   */
  abstract waitForChange(
    registration: ServiceRegistration,
    record: RegistrationRecord,
    onStatus: (status: InstanceStatus) => void,
    signal: AbortSignal,
  ): Promise<RegistrationChange>;

  /**
   * Reports the state of a TTL check.
   *
   * @throws DiscoveryError `RK_NOT_FOUND` when the registry does not have the check
   */
  abstract report(checkId: string, status: CheckStatus, output: string, signal: AbortSignal): Promise<void>;

  /** How a worker thread can report to TTL checks. Undefined: it cannot. */
  workerReporter(): WorkerReporterSource | undefined {
    return undefined;
  }

  /**
   * Calls back after each request to the registry, for metrics.
   *
   * @returns ends it
   */
  onRequest(_listener: (request: RegistryRequest) => void): () => void {
    return () => undefined;
  }

  /**
   * Calls back when requests go to another member of the registry.
   *
   * @returns ends it
   */
  onSwitch(_listener: (change: RegistrySwitch) => void): () => void {
    return () => undefined;
  }

  /** Puts a registered instance into maintenance for a reason; undefined ends it. */
  abstract setMaintenance(id: string, reason: string | undefined, signal: AbortSignal): Promise<void>;
}
