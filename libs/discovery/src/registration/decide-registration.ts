import type { RegistrationRecord, ServiceRegistration } from '../registry/service-registration.js';
import type { Random } from '../timing/clock.js';
import { driftOf, isElsewhere } from './registration-drift.js';

/** What happened to a registration before; times are those of one clock, in milliseconds. */
export interface RegistrationFacts {
  /** This process has registered it since it was last started. */
  readonly isOurs: boolean;
  /** The registry was unreachable, or may have restarted, and has now answered. */
  readonly afterOutage: boolean;
  /** The registry holds it, but does not list it to clients. */
  readonly isUnlisted: boolean;
  /** It was registered with other credentials than those of now. */
  readonly credentialsChanged: boolean;
  /** The registry last listed it as critical. */
  readonly wasCritical: boolean;
  /** When it was repaired, oldest first. */
  readonly repairs: readonly number[];
  /** The result of probing the instance that has our id at another address; undefined: not probed. */
  readonly idHolder: 'reachable' | 'unreachable' | undefined;
}

export type RegistrationDecision =
  | { readonly do: 'nothing' }
  | {
      readonly do: 'register';
      /** Why it is registered again; undefined for the first time. */
      readonly because: string | undefined;
      readonly afterMs: number;
      /** Another client undid it, and may do so again. */
      readonly isRepair: boolean;
      /** Another client undoes it again and again. */
      readonly isContested: boolean;
      /** It starts as critical: a check that kept failing gets no calls until it passes. */
      readonly isCritical: boolean;
      /** An earlier process left it critical: registered over it, it would stay critical until its next check. */
      readonly deregisterFirst: boolean;
    }
  /** Register the same again, with the present credentials. */
  | { readonly do: 'refresh' }
  /** Begin maintenance that the registry does not have, or end one that it still has. */
  | { readonly do: 'set-maintenance'; readonly reason: string | undefined }
  /** Find out whether the instance that has our id is alive. */
  | { readonly do: 'probe'; readonly address: string | undefined; readonly port: number }
  /** Leave the id to the other instance. */
  | { readonly do: 'yield'; readonly because: string };

/** All apps of a host lose their registrations together: they must not come back together. */
const SPREAD_MS = 1_000;
const MAX_REPAIRS = 6;
const REPAIR_WINDOW_MS = 60_000;
const CONTESTED_FROM = 3;
const MISSING = 'missing from the registry';

/** Decides what to do about a registration, from its desired state, its actual state, and what happened before. */
export function decideRegistration(
  desired: ServiceRegistration,
  actual: RegistrationRecord | undefined,
  facts: RegistrationFacts,
  now: number,
  random: Random,
): RegistrationDecision {
  const first = {
    do: 'register',
    because: undefined,
    afterMs: 0,
    isRepair: false,
    isContested: false,
    isCritical: false,
    deregisterFirst: false,
  } as const;
  if (!actual) {
    if (!facts.isOurs) return first;
    if (!facts.afterOutage) {
      const because = facts.wasCritical ? 'removed from the registry while it was critical' : MISSING;
      return repair(because, facts, now);
    }
    const because = 'lost by the registry during an outage';
    return { ...first, because, afterMs: SPREAD_MS * random() };
  }
  if (!facts.isOurs) {
    if (!isElsewhere(desired, actual)) return { ...first, deregisterFirst: actual.status === 'critical' };
    if (facts.idHolder === undefined) return { do: 'probe', address: actual.address, port: actual.port };
    if (facts.idHolder === 'reachable') return { do: 'yield', because: describeIdHolder(desired, actual) };
    return first;
  }
  const drift = driftOf(desired, actual);
  if (facts.credentialsChanged && drift.length === 0) return { do: 'refresh' };
  if (drift.length > 0) return repair(`changed externally: ${drift.join(', ')}`, facts, now);
  if (facts.isUnlisted) return repair('held by the agent but not listed in the catalog', facts, now);
  if ((desired.maintenance === undefined) !== (actual.maintenance === undefined))
    return { do: 'set-maintenance', reason: desired.maintenance };
  return { do: 'nothing' };
}

/** Immediate, but rate-limited when another client keeps undoing it. */
function repair(
  because: string,
  { repairs, wasCritical }: RegistrationFacts,
  now: number,
): RegistrationDecision {
  const recent = recentRepairs(repairs, now);
  const oldest = recent.at(-MAX_REPAIRS);
  return {
    do: 'register',
    because,
    afterMs: oldest === undefined ? 0 : oldest + REPAIR_WINDOW_MS - now,
    isRepair: true,
    isContested: recent.length >= CONTESTED_FROM,
    isCritical: wasCritical,
    deregisterFirst: false,
  };
}

export function recentRepairs(repairs: readonly number[], now: number): number[] {
  return repairs.filter((at) => now - at < REPAIR_WINDOW_MS);
}

function describeIdHolder(desired: ServiceRegistration, actual: RegistrationRecord): string {
  const theirs = `${actual.address ?? "the node's address"}, port ${actual.port}`;
  const ours = `${desired.address ?? "the node's address"}, port ${desired.port}`;
  return `its id belongs to another live instance of "${actual.service}" at ${theirs}; this one is at ${ours}`;
}
