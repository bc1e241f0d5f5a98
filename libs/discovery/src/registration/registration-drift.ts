import type {
  RegistrationCheck,
  RegistrationRecord,
  ServiceRegistration,
  TaggedAddress,
} from '../registry/service-registration.js';

/** The fields in which the actual registration differs from the desired one. */
export function driftOf(desired: ServiceRegistration, actual: RegistrationRecord): string[] {
  const weights = desired.weights ?? { passing: 1, warning: 1 };
  const same: Record<string, boolean> = {
    service: desired.service === actual.service,
    address: desired.address === actual.address,
    port: desired.port === actual.port,
    secure: desired.secure === actual.secure,
    tags: desired.enableTagOverride || sameSet(desired.tags, actual.tags),
    meta: sameSet(entries(desired.meta), entries(actual.meta)),
    weights: weights.passing === actual.weights.passing && weights.warning === actual.weights.warning,
    taggedAddresses: Object.entries(desired.taggedAddresses).every(([name, address]) =>
      // The registry adds tagged addresses of its own.
      sameAddress(address, actual.taggedAddresses[name]),
    ),
    checks: sameChecks(desired, actual),
  };
  return Object.keys(same).filter((field) => !same[field]);
}

/** Another address or port under the same id means another process. */
export function isElsewhere(desired: ServiceRegistration, actual: RegistrationRecord): boolean {
  return (
    desired.service !== actual.service || desired.address !== actual.address || desired.port !== actual.port
  );
}

function sameChecks(desired: ServiceRegistration, actual: RegistrationRecord): boolean {
  if (!actual.checks) return true;
  // The registry returns no more than this about a check; its notes contain the rest.
  const describe = ({ id, name, notes = '' }: Pick<RegistrationCheck, 'id' | 'name' | 'notes'>): string =>
    JSON.stringify([id, name, notes]);
  const wanted = desired.checks.map(describe);
  const found = actual.checks.map(describe);
  // During maintenance foreign checks are left alone: removing them would end the maintenance for a moment.
  if (actual.maintenance !== undefined) return wanted.every((check) => found.includes(check));
  return sameSet(wanted, found);
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  const sorted = [...other].sort();
  return one.length === other.length && [...one].sort().every((value, at) => value === sorted[at]);
}

function entries(record: Readonly<Record<string, string>>): string[] {
  return Object.entries(record).map((entry) => JSON.stringify(entry));
}

function sameAddress(one: TaggedAddress, other: TaggedAddress | undefined): boolean {
  return one.address === other?.address && one.port === other.port;
}
