import { DiscoveryError } from '../../errors/discovery-error.js';
import type { HealthReport } from './health-report.js';
import type { HeartbeatListener, Heartbeats } from './heartbeats.js';
import type { ServiceRegistration, TtlCheck } from '../../registry/service-registration.js';
import type { ServiceRegistry } from '../../registry/service-registry.js';
import { abortable, bounded } from '../../timing/with-timeout.js';
import { isAborted, pause, type Clock, type Random } from '../../timing/clock.js';
import { scoped } from '../../timing/scoped-signal.js';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly report: () => Promise<HealthReport>;
  /** The registry does not have the check any more. */
  readonly onLost: () => void;
  /** The loop stood still for so long, in milliseconds. */
  readonly onStall: (lag: number) => void;
  /** A beat got through after one that did not. */
  readonly onAnswered: () => void;
  /** Beats do not arrive: an error, after so many that the check may run out; undefined when they do again. */
  readonly onTrouble: (error: unknown) => void;
}

/** Three beats in a TTL: two may be lost. */
const BEATS_PER_TTL = 3;
export const LONGEST_REQUEST_MS = 3_000;
/** After a beat that was lost on the way: soon, since two more must fit into the TTL. */
export const RETRY_MS = 1_000;
const STALL_MS = 1_000;
/** One lost beat is nothing: two more fit into the TTL. */
export const TROUBLE_AFTER = 2;

export function beatEvery(check: TtlCheck): number {
  return check.ttl / BEATS_PER_TTL;
}

/**
 * Reports the app's health to a TTL check: at once, then three times in every TTL, each beat after the last has ended.
 * A beat that is overdue, since the event loop stood still, goes out as soon as it runs again.
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

  /** Resolves when no beat is on its way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the heartbeat was stopped'));
    await this.#ended;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const every = beatEvery(this.#check);
    for (let failures = 0; !signal.aborted;) {
      const outcome = await this.#beat(every, signal);
      if (isAborted(signal)) return;
      if (outcome === 'lost') {
        this.#options.onLost();
        return;
      }
      if (outcome === 'arrived') {
        if (failures > 0) this.#options.onAnswered();
        if (failures >= TROUBLE_AFTER) this.#options.onTrouble(undefined);
        failures = 0;
      } else if (++failures === TROUBLE_AFTER) this.#options.onTrouble(outcome);
      // Jittered downwards: never later than three in a TTL, and not in step with the apps beside us.
      const wait = failures > 0 ? Math.min(RETRY_MS, every) : every * (0.9 + 0.1 * random());
      const begun = clock.now();
      await pause(clock, wait, signal).catch(() => undefined);
      const lag = clock.now() - begun - wait;
      if (lag > STALL_MS) this.#options.onStall(lag);
    }
  }

  /** An error when it did not get through. */
  async #beat(everyMs: number, signal: AbortSignal): Promise<unknown> {
    const { clock } = this.#options;
    const timeoutMs = Math.min(LONGEST_REQUEST_MS, everyMs);
    try {
      return await scoped(signal, async (sending) => {
        const { status, output } = await abortable(this.#options.report(), sending);
        const tooLate = (): Error => new Error(`no answer in ${timeoutMs} ms`);
        const sent = this.#registry.report(this.#check.id, status, output, sending);
        await bounded(clock, timeoutMs, sent, tooLate);
        return 'arrived';
      });
    } catch (error) {
      return error instanceof DiscoveryError && error.code === 'RK_NOT_FOUND' ? 'lost' : error;
    }
  }
}

/** Beats from this very thread, one heart for each TTL check. */
export class ThreadHeartbeats implements Heartbeats {
  readonly #registry: ServiceRegistry;
  readonly #options: Pick<HeartbeatOptions, 'clock' | 'random' | 'report' | 'onAnswered'>;
  #beating: Heartbeat[] = [];

  constructor(
    registry: ServiceRegistry,
    options: Pick<HeartbeatOptions, 'clock' | 'random' | 'report' | 'onAnswered'>,
  ) {
    this.#registry = registry;
    this.#options = options;
  }

  start(registration: ServiceRegistration, listener: HeartbeatListener): void {
    this.#beating = registration.checks
      .filter((check) => check.type === 'ttl')
      .map((check) => new Heartbeat(this.#registry, check, { ...this.#options, ...listener }));
    for (const heartbeat of this.#beating) heartbeat.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#beating.splice(0).map((heartbeat) => heartbeat.stop()));
  }
}
