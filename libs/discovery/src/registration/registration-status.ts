/**
 * The state of a registration.
 * - `idle`: not started yet, or the app has no service to register
 * - `pending`: the app is not ready yet, the registry has not answered yet, or a loss is being repaired
 * - `registered`: the registry holds the registration
 * - `unconfirmed`: registered, but the registry does not answer
 * - `deregistered`: removed from the registry
 */
export interface InstanceRegistrationStatus {
  readonly state: 'idle' | 'pending' | 'registered' | 'unconfirmed' | 'deregistered';
  /** Instance id, once it is known. */
  readonly id: string | undefined;
  readonly service: string | undefined;
  /** Why it is `pending` or `unconfirmed`, or why its check fails while it is `registered`. */
  readonly reason: string | undefined;
}

/** The state of the app: that of its instance, or the worst of several. */
export interface RegistrationStatus extends InstanceRegistrationStatus {
  /** The state of each service that this app registers. */
  readonly instances: readonly InstanceRegistrationStatus[];
}

const FROM_WORST: readonly InstanceRegistrationStatus['state'][] = [
  'unconfirmed',
  'pending',
  'idle',
  'deregistered',
  'registered',
];

export function worstRegistration(instances: readonly InstanceRegistrationStatus[]): RegistrationStatus {
  const [worst] = [...instances].sort((a, b) => FROM_WORST.indexOf(a.state) - FROM_WORST.indexOf(b.state));
  const nothing = { state: 'idle', id: undefined, service: undefined, reason: undefined } as const;
  return { ...(worst ?? nothing), instances };
}
