import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { instanceKey, type ServiceInstance } from '../../registry/service-instance.js';
import { pause, type Clock } from '../../timing/clock.js';
import { probeAll, type InstanceProbe } from '../../registry/instance-probe.js';
import { judge, suspectsIn, type Sighting } from './protection-rules.js';

export interface DoubtOptions {
  readonly clock: Clock;
  readonly probe: InstanceProbe;
  /** The list as surely as the registry can tell it. */
  readonly confirm: (signal: AbortSignal) => Promise<readonly ServiceInstance[]>;
  /** Some suspects were dropped. */
  readonly onDropped: () => void;
  /** The registry lists suspects after all: this is its list. */
  readonly onListed: (instances: readonly ServiceInstance[]) => void;
  readonly tell: (
    event:
      | Pick<Extract<DiscoveryEvent, { type: 'list.suspect' }>, 'type' | 'missing' | 'reason'>
      | Pick<Extract<DiscoveryEvent, { type: 'list.believed' }>, 'type' | 'dropped' | 'reason' | 'after'>
      | Pick<Extract<DiscoveryEvent, { type: 'list.dismissed' }>, 'type' | 'returned' | 'reason' | 'after'>,
  ) => void;
}

interface Suspect {
  readonly instance: ServiceInstance;
  readonly since: number;
  sighting: Sighting | undefined;
  /** Looks in a row that found it silent: once may be a moment in which this very process stood still. */
  silentLooks: number;
}

const FIRST_LOOK_AGAIN_MS = 250;
const LONGEST_LOOK_AGAIN_MS = 2_000;
const FIRST_CONFIRMATION_AGAIN_MS = 1_000;
const LONGEST_CONFIRMATION_AGAIN_MS = 5_000;
const CALM_MS = 60_000;

/** Keeps those in use that an unbelievable answer leaves out, until it is known whether they are gone. */
export class Doubt {
  readonly #options: DoubtOptions;
  readonly #suspects = new Map<string, Suspect>();
  #isLooking = false;
  #leftOutAt = -Infinity;
  #confirmAt = -Infinity;
  #confirmEvery = FIRST_CONFIRMATION_AGAIN_MS;

  constructor(options: DoubtOptions) {
    this.#options = options;
  }

  get suspects(): readonly ServiceInstance[] {
    return [...this.#suspects.values()].map(({ instance }) => instance);
  }

  /** Why an instance is a suspect; undefined: it is none. */
  explain(instance: ServiceInstance): string | undefined {
    const suspect = this.#suspects.get(instanceKey(instance));
    if (!suspect) return undefined;
    const doubtedFor = Math.round(this.#options.clock.now() - suspect.since);
    return `the registry has not listed it for ${doubtedFor} ms; ${judge(suspect.sighting, doubtedFor, this.#isConfirmed()).reason}`;
  }

  /** Looks at an answer; whoever is a suspect afterwards stays in use, and is looked into until the signal aborts. */
  examine(inUse: readonly ServiceInstance[], answer: readonly ServiceInstance[], signal: AbortSignal): void {
    const { clock, tell } = this.#options;
    const missing = suspectsIn(inUse, answer);
    // Who became a suspect is one until he is listed or judged, however many of the others are listed again.
    this.#dismissListed(answer, 'it is listed again');
    const added = missing.filter((instance) => !this.#suspects.has(instanceKey(instance)));
    if (added.length === 0) return;
    for (const instance of added)
      this.#suspects.set(instanceKey(instance), {
        instance,
        since: clock.now(),
        sighting: undefined,
        silentLooks: 0,
      });
    tell({
      type: 'list.suspect',
      missing: added.map(({ id }) => id),
      reason: `an answer lists ${answer.length} instances and leaves out ${missing.length} of ${inUse.length} in use`,
    });
    if (!this.#isLooking) void this.#investigate(signal);
  }

  async #investigate(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#isLooking = true;
    let nextLook = FIRST_LOOK_AGAIN_MS;
    try {
      while (this.#suspects.size > 0) {
        if (this.#isConfirmationDue()) await this.#confirm(signal);
        await this.#look();
        if (this.#suspects.size === 0) break;
        await pause(clock, nextLook, signal);
        nextLook = Math.min(nextLook * 2, LONGEST_LOOK_AGAIN_MS);
      }
    } catch {
      // Not watched any more: nobody is in doubt.
      this.#suspects.clear();
    } finally {
      this.#isLooking = false;
    }
  }

  /** A registry that gives two answers, in turns, is not asked in a hot loop. */
  #isConfirmationDue(): boolean {
    const now = this.#options.clock.now();
    if (now < this.#confirmAt) return false;
    const isCalm = now - this.#confirmAt > CALM_MS;
    this.#confirmEvery = isCalm
      ? FIRST_CONFIRMATION_AGAIN_MS
      : Math.min(this.#confirmEvery * 2, LONGEST_CONFIRMATION_AGAIN_MS);
    this.#confirmAt = now + this.#confirmEvery;
    return true;
  }

  async #look(): Promise<void> {
    const { clock, probe, tell, onDropped } = this.#options;
    const looked = [...this.#suspects.values()];
    const sightings = await probeAll(
      looked.map(({ instance }) => instance),
      probe,
    );
    const gone = new Map<string, Suspect[]>();
    looked.forEach((suspect, at) => {
      const sighting = sightings[at];
      suspect.silentLooks = sighting === 'silent' ? suspect.silentLooks + 1 : 0;
      suspect.sighting = suspect.silentLooks === 1 ? 'unknown' : sighting;
      const key = instanceKey(suspect.instance);
      const verdict = judge(suspect.sighting, clock.now() - suspect.since, this.#isConfirmed());
      // It may have been listed again while it was looked at.
      if (!verdict.gone || this.#suspects.get(key) !== suspect) return;
      this.#suspects.delete(key);
      gone.set(verdict.reason, [...(gone.get(verdict.reason) ?? []), suspect]);
    });
    for (const [reason, suspects] of gone) {
      tell({
        type: 'list.believed',
        dropped: suspects.map(({ instance }) => instance.id),
        reason,
        after: this.#longest(suspects),
      });
    }
    if (gone.size > 0) onDropped();
  }

  /** That the registry, asked for a consistent answer, left them out too, and not long ago. */
  #isConfirmed(): boolean {
    return this.#options.clock.now() - this.#leftOutAt <= 2 * LONGEST_CONFIRMATION_AGAIN_MS;
  }

  async #confirm(signal: AbortSignal): Promise<void> {
    const { confirm, onListed } = this.#options;
    // A registry that cannot say makes nothing surer.
    const answer = await confirm(signal).catch(() => undefined);
    if (!answer || signal.aborted) return;
    const before = this.#suspects.size;
    const returned = this.#dismissListed(
      answer,
      'the registry lists it when it is asked for a consistent answer',
    );
    if (returned < before) this.#leftOutAt = this.#options.clock.now();
    if (returned > 0) onListed(answer);
  }

  /** @returns how many there were */
  #dismissListed(answer: readonly ServiceInstance[], reason: string): number {
    if (this.#suspects.size === 0) return 0;
    const listed = new Set(answer.map(instanceKey));
    const returned = [...this.#suspects].filter(([key]) => listed.has(key));
    if (returned.length === 0) return 0;
    for (const [key] of returned) this.#suspects.delete(key);
    const suspects = returned.map(([, suspect]) => suspect);
    this.#options.tell({
      type: 'list.dismissed',
      returned: suspects.map(({ instance }) => instance.id),
      reason,
      after: this.#longest(suspects),
    });
    return returned.length;
  }

  #longest(suspects: readonly Suspect[]): number {
    return Math.round(this.#options.clock.now() - Math.min(...suspects.map(({ since }) => since)));
  }
}
