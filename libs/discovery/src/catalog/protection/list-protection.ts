import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { probeAll, type InstanceProbe } from '../../registry/instance-probe.js';
import { instanceKey, type ServiceInstance } from '../../registry/service-instance.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';
import { delay, type Clock } from '../../timing/clock.js';
import { decideSuspect, suspectsIn } from './protection-rules.js';

type EventOf<T extends DiscoveryEvent['type']> = Omit<
  Extract<DiscoveryEvent, { type: T }>,
  'service' | 'list'
>;

export interface ListProtectionOptions {
  readonly clock: Clock;
  readonly probe: InstanceProbe;
  /** A fresh read with the strongest consistency that the registry has. */
  readonly readConsistent: (signal: AbortSignal) => Promise<readonly ServiceInstance[]>;
  /** Some suspects are gone. */
  readonly onRemoved: () => void;
  /** A consistent read lists suspects again; this is its list. */
  readonly onListed: (instances: readonly ServiceInstance[]) => void;
  readonly emit: (
    event: EventOf<'list.suspect'> | EventOf<'list.confirmed'> | EventOf<'list.rejected'>,
  ) => void;
}

interface Suspect {
  readonly instance: ServiceInstance;
  readonly since: number;
  result: ProbeResult | undefined;
  /** Consecutive probes without a response: a single one may be a moment in which this process itself was blocked. */
  timeouts: number;
}

const MIN_PROBE_INTERVAL_MS = 250;
const MAX_PROBE_INTERVAL_MS = 2_000;
const MIN_READ_INTERVAL_MS = 1_000;
const MAX_READ_INTERVAL_MS = 5_000;
/** After this time without a consistent read its interval starts again from the shortest. */
const READ_INTERVAL_RESET_MS = 60_000;

/**
 * Keeps the instances in use that a suspicious update leaves out, an empty list or one that is much shorter, until it is known
 * whether they are gone. Eureka's self-preservation has the same purpose.
 */
export class ListProtection {
  readonly #options: ListProtectionOptions;
  readonly #suspects = new Map<string, Suspect>();
  #isInvestigating = false;
  #confirmedMissingAt = -Infinity;
  #nextReadAt = -Infinity;
  #readIntervalMs = MIN_READ_INTERVAL_MS;

  constructor(options: ListProtectionOptions) {
    this.#options = options;
  }

  get suspects(): readonly ServiceInstance[] {
    return [...this.#suspects.values()].map(({ instance }) => instance);
  }

  /** Why an instance is a suspect; undefined: it is not. */
  explain(instance: ServiceInstance): string | undefined {
    const suspect = this.#suspects.get(instanceKey(instance));
    if (!suspect) return undefined;
    const suspectForMs = Math.round(this.#options.clock.now() - suspect.since);
    const { reason } = decideSuspect(suspect.result, suspectForMs, this.#isConfirmed());
    return `the registry has not listed it for ${suspectForMs} ms; ${reason}`;
  }

  /** Checks an update. Suspects stay in use, and are investigated until they are decided or the signal aborts. */
  check(inUse: readonly ServiceInstance[], update: readonly ServiceInstance[], signal: AbortSignal): void {
    const { clock, emit } = this.#options;
    const missing = suspectsIn(inUse, update);
    // A suspect stays one until it is listed again or decided, however many of the others are listed again.
    this.#rejectListed(update, 'a newer update lists it');
    const added = missing.filter((instance) => !this.#suspects.has(instanceKey(instance)));
    if (added.length === 0) return;
    for (const instance of added)
      this.#suspects.set(instanceKey(instance), {
        instance,
        since: clock.now(),
        result: undefined,
        timeouts: 0,
      });
    emit({
      type: 'list.suspect',
      missing: added.map(({ id }) => id),
      reason: `update lists ${update.length} instances and leaves out ${missing.length} of ${inUse.length} in use`,
    });
    if (!this.#isInvestigating) void this.#investigate(signal);
  }

  async #investigate(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#isInvestigating = true;
    let intervalMs = MIN_PROBE_INTERVAL_MS;
    try {
      while (this.#suspects.size > 0) {
        if (this.#isReadDue()) await this.#readConsistent(signal);
        await this.#probe();
        if (this.#suspects.size === 0) break;
        await delay(clock, intervalMs, signal);
        intervalMs = Math.min(intervalMs * 2, MAX_PROBE_INTERVAL_MS);
      }
    } catch {
      // The watch ended, and with it the investigation.
      this.#suspects.clear();
    } finally {
      this.#isInvestigating = false;
    }
  }

  /** Bounds the rate of consistent reads, also for a registry that alternates between two lists. */
  #isReadDue(): boolean {
    const now = this.#options.clock.now();
    if (now < this.#nextReadAt) return false;
    this.#readIntervalMs =
      now - this.#nextReadAt > READ_INTERVAL_RESET_MS
        ? MIN_READ_INTERVAL_MS
        : Math.min(this.#readIntervalMs * 2, MAX_READ_INTERVAL_MS);
    this.#nextReadAt = now + this.#readIntervalMs;
    return true;
  }

  async #probe(): Promise<void> {
    const { clock, probe, emit, onRemoved } = this.#options;
    const probed = [...this.#suspects.values()];
    const results = await probeAll(
      probed.map(({ instance }) => instance),
      probe,
    );
    const gone = new Map<string, Suspect[]>();
    probed.forEach((suspect, index) => {
      const result = results[index];
      suspect.timeouts = result === 'timeout' ? suspect.timeouts + 1 : 0;
      suspect.result = suspect.timeouts === 1 ? 'unknown' : result;
      const key = instanceKey(suspect.instance);
      const decision = decideSuspect(suspect.result, clock.now() - suspect.since, this.#isConfirmed());
      // The registry may have listed it again during the probe.
      if (!decision.isGone || this.#suspects.get(key) !== suspect) return;
      this.#suspects.delete(key);
      gone.set(decision.reason, [...(gone.get(decision.reason) ?? []), suspect]);
    });
    for (const [reason, suspects] of gone) {
      emit({
        type: 'list.confirmed',
        removed: suspects.map(({ instance }) => instance.id),
        reason,
        afterMs: this.#longest(suspects),
      });
    }
    if (gone.size > 0) onRemoved();
  }

  /** A recent consistent read did not list the suspects either. */
  #isConfirmed(): boolean {
    return this.#options.clock.now() - this.#confirmedMissingAt <= 2 * MAX_READ_INTERVAL_MS;
  }

  async #readConsistent(signal: AbortSignal): Promise<void> {
    const { readConsistent, onListed } = this.#options;
    // A failed read confirms nothing, and rejects nothing.
    const list = await readConsistent(signal).catch(() => undefined);
    if (!list || signal.aborted) return;
    const before = this.#suspects.size;
    const returned = this.#rejectListed(list, 'a consistent read lists it');
    if (returned < before) this.#confirmedMissingAt = this.#options.clock.now();
    if (returned > 0) onListed(list);
  }

  /** @returns how many suspects are listed again */
  #rejectListed(list: readonly ServiceInstance[], reason: string): number {
    if (this.#suspects.size === 0) return 0;
    const listed = new Set(list.map(instanceKey));
    const returned = [...this.#suspects].filter(([key]) => listed.has(key));
    if (returned.length === 0) return 0;
    for (const [key] of returned) this.#suspects.delete(key);
    const suspects = returned.map(([, suspect]) => suspect);
    this.#options.emit({
      type: 'list.rejected',
      returned: suspects.map(({ instance }) => instance.id),
      reason,
      afterMs: this.#longest(suspects),
    });
    return returned.length;
  }

  #longest(suspects: readonly Suspect[]): number {
    return Math.round(this.#options.clock.now() - Math.min(...suspects.map(({ since }) => since)));
  }
}
