import { DiscoveryError } from '../../errors/discovery-error.js';
import type { ServiceRegistration, TtlCheck } from '../../registry/service-registration.js';
import type { ServiceRegistry } from '../../registry/service-registry.js';
import { delay, isAborted, type Clock, type Random } from '../../timing/clock.js';
import { withScopedSignal } from '../../timing/scoped-signal.js';
import { withAbort, withTimeout } from '../../timing/with-timeout.js';
import type { HealthReport } from './health-report.js';
import type { HeartbeatListener, Heartbeats } from './heartbeats.js';

export interface MainThreadHeartbeatsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly report: () => Promise<HealthReport>;
  /** A heartbeat arrived after one that did not. */
  readonly onRecovered: () => void;
}

export type HeartbeatOptions = MainThreadHeartbeatsOptions & HeartbeatListener;

/** Two of them may be lost without harm. */
const HEARTBEATS_PER_TTL = 3;
export const MAX_REQUEST_MS = 3_000;
/** After a heartbeat that was lost: soon, since two more must fit into the TTL. */
export const RETRY_INTERVAL_MS = 1_000;
/** One lost heartbeat is harmless: two more fit into the TTL. */
export const FAILING_AFTER = 2;
const STALL_MS = 1_000;

export function heartbeatInterval(check: TtlCheck): number {
  return check.ttlMs / HEARTBEATS_PER_TTL;
}

/**
 * Reports the app's health to a TTL check: at once, then three times in every TTL, each heartbeat after the previous one has
 * ended. A heartbeat that is late because the event loop was blocked is sent as soon as it runs again.
 */
export class Heartbeat {
  readonly #registry: ServiceRegistry;
  readonly #check: TtlCheck;
  readonly #options: HeartbeatOptions;
  readonly #stopping = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  constructor(registry: ServiceRegistry, check: TtlCheck, options: HeartbeatOptions) {
    this.#registry = registry;
    this.#check = check;
    this.#options = options;
  }

  start(): void {
    this.#ended = this.#run(this.#stopping.signal);
  }

  /** Resolves when no heartbeat is in flight. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the heartbeat was stopped'));
    await this.#ended;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, onLost, onStall, onFailing, onRecovered } = this.#options;
    const intervalMs = heartbeatInterval(this.#check);
    for (let failures = 0; !signal.aborted;) {
      const result = await this.#send(intervalMs, signal);
      if (isAborted(signal)) return;
      // It goes on: a new registration has a heartbeat of its own, and an agent may be wrong, as where several are behind one address.
      if (isLost(result)) onLost();
      if (result === 'arrived') {
        if (failures > 0) onRecovered();
        if (failures >= FAILING_AFTER) onFailing(undefined);
        failures = 0;
      } else if (++failures === FAILING_AFTER) onFailing(result);
      // Jitter only shortens the interval: never fewer than three in a TTL, and not in step with other apps of the host.
      const wait =
        failures > 0 ? Math.min(RETRY_INTERVAL_MS, intervalMs) : intervalMs * (0.9 + 0.1 * random());
      const begun = clock.now();
      await delay(clock, wait, signal).catch(() => undefined);
      const lagMs = clock.now() - begun - wait;
      if (lagMs > STALL_MS) onStall(lagMs);
    }
  }

  /** @returns `arrived`, or the error */
  async #send(intervalMs: number, signal: AbortSignal): Promise<unknown> {
    const { clock, report } = this.#options;
    const timeoutMs = Math.min(MAX_REQUEST_MS, intervalMs);
    try {
      return await withScopedSignal(signal, async (sending) => {
        const { status, output } = await withAbort(report(), sending);
        const onTimeout = (): Error => new Error(`no response in ${timeoutMs} ms`);
        const sent = this.#registry.report(this.#check.id, status, output, sending);
        await withTimeout(clock, timeoutMs, sent, onTimeout);
        return 'arrived';
      });
    } catch (error) {
      return error;
    }
  }
}

/** The registry says that it does not have the check. */
function isLost(error: unknown): boolean {
  return error instanceof DiscoveryError && error.code === 'RK_NOT_FOUND';
}

/** Sends heartbeats from the main thread, one for each TTL check. */
export class MainThreadHeartbeats implements Heartbeats {
  readonly #registry: ServiceRegistry;
  readonly #options: MainThreadHeartbeatsOptions;
  #running: Heartbeat[] = [];

  constructor(registry: ServiceRegistry, options: MainThreadHeartbeatsOptions) {
    this.#registry = registry;
    this.#options = options;
  }

  start(registration: ServiceRegistration, listener: HeartbeatListener): void {
    this.#running = registration.checks
      .filter((check) => check.type === 'ttl')
      .map((check) => new Heartbeat(this.#registry, check, { ...this.#options, ...listener }));
    for (const heartbeat of this.#running) heartbeat.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((heartbeat) => heartbeat.stop()));
  }
}
