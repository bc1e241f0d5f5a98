import type { RegistrationRecord, ServiceRegistration } from '../registry/service-registration.js';
import type { Random } from '../timing/clock.js';
import { driftOf, isElsewhere } from './registration-drift.js';

/** What went before; times are those of one clock, in milliseconds. */
export interface RegistrationHistory {
  /** This process has registered it since it was last started. */
  readonly isOurs: boolean;
  /** The registry has not answered for a while, and now does. */
  readonly afterOutage: boolean;
  /** The registry holds it, and those who look for it are not shown it. */
  readonly isUnlisted: boolean;
  /** When it was repaired, oldest first. */
  readonly repairs: readonly number[];
  /** What answers at the place of the instance that has our id; undefined: nobody has tried. */
  readonly rival: 'answers' | 'refuses' | undefined;
}

export type RegistrationDecision =
  | { readonly do: 'nothing' }
  | {
      readonly do: 'register';
      /** Why it has to be done again; undefined for the first time. */
      readonly because: string | undefined;
      readonly afterMs: number;
      /** Somebody undid it, and may do so again. */
      readonly isRepair: boolean;
      /** Somebody does it again and again. */
      readonly isContested: boolean;
      /** What is there is of an earlier life and critical: registered over, it would stay so until its next check. */
      readonly afresh: boolean;
    }
  /** Tell the registry of maintenance that it does not know, or still has. */
  | { readonly do: 'maintain'; readonly reason: string | undefined }
  /** Find out who is there. */
  | { readonly do: 'probe'; readonly address: string | undefined; readonly port: number }
  | { readonly do: 'yield'; readonly because: string };

/** Apps of one host lose their registration together: they must not come back in one moment. */
const SPREAD_MS = 1_000;
const MOST_REPAIRS = 6;
const REPAIRS_WITHIN_MS = 60_000;
const CONTESTED_FROM = 3;

/** What to do about a registration, from what should be, what is, and what went before. */
export function decideRegistration(
  desired: ServiceRegistration,
  actual: RegistrationRecord | undefined,
  history: RegistrationHistory,
  now: number,
  random: Random,
): RegistrationDecision {
  const first = {
    do: 'register',
    because: undefined,
    afterMs: 0,
    isRepair: false,
    isContested: false,
    afresh: false,
  } as const;
  if (!actual) {
    if (!history.isOurs) return first;
    if (!history.afterOutage) return repair('it is gone from the registry', history, now);
    const because = 'the registry was away and has lost it';
    return { ...first, because, afterMs: SPREAD_MS * random() };
  }
  if (!history.isOurs) {
    if (!isElsewhere(desired, actual)) return { ...first, afresh: actual.status === 'critical' };
    if (history.rival === undefined) return { do: 'probe', address: actual.address, port: actual.port };
    if (history.rival === 'answers') return { do: 'yield', because: describeRival(desired, actual) };
    return first;
  }
  const drift = driftOf(desired, actual);
  if (drift.length > 0) return repair(`somebody changed its ${drift.join(', ')}`, history, now);
  if (history.isUnlisted) return repair('the agent has it, but the catalog does not show it', history, now);
  if ((desired.maintenance === undefined) !== (actual.maintenance === undefined))
    return { do: 'maintain', reason: desired.maintenance };
  return { do: 'nothing' };
}

/** At once, and when somebody keeps undoing it no more than so often a minute. */
function repair(because: string, { repairs }: RegistrationHistory, now: number): RegistrationDecision {
  const recent = recentRepairs(repairs, now);
  const oldest = recent.at(-MOST_REPAIRS);
  return {
    do: 'register',
    because,
    afterMs: oldest === undefined ? 0 : oldest + REPAIRS_WITHIN_MS - now,
    isRepair: true,
    isContested: recent.length >= CONTESTED_FROM,
    afresh: false,
  };
}

export function recentRepairs(repairs: readonly number[], now: number): number[] {
  return repairs.filter((at) => now - at < REPAIRS_WITHIN_MS);
}

function describeRival(desired: ServiceRegistration, actual: RegistrationRecord): string {
  const where = `${actual.address ?? "the node's address"}, port ${actual.port}`;
  const own = `${desired.address ?? "the node's address"}, port ${desired.port}`;
  return `its id belongs to another instance of "${actual.service}" that answers at ${where}; ours is at ${own}`;
}
