/**
 * Where an instance stands in the registry.
 * - `idle`: not asked for yet, or the app has no service to register
 * - `waiting`: the app is not ready yet, the registry has not answered yet, or a loss is being repaired
 * - `registered`: the registry has us
 * - `unreachable`: the registry does not answer; it may still have us
 * - `deregistered`: taken out
 */
export interface InstanceRegistrationStatus {
  readonly state: 'idle' | 'waiting' | 'registered' | 'unreachable' | 'deregistered';
  /** Instance id, once it is known. */
  readonly id: string | undefined;
  readonly service: string | undefined;
  /** Why it is `waiting` or `unreachable`. */
  readonly reason: string | undefined;
}

/** The state of the app: that of its instance, or of the worst of several. */
export interface RegistrationStatus extends InstanceRegistrationStatus {
  /** Each service that this app registers, once its id is known. */
  readonly instances: readonly InstanceRegistrationStatus[];
}

const FROM_WORST: readonly InstanceRegistrationStatus['state'][] = [
  'unreachable',
  'waiting',
  'idle',
  'deregistered',
  'registered',
];

export function worstRegistration(instances: readonly InstanceRegistrationStatus[]): RegistrationStatus {
  const [worst] = [...instances].sort((a, b) => FROM_WORST.indexOf(a.state) - FROM_WORST.indexOf(b.state));
  const nothing = { state: 'idle', id: undefined, service: undefined, reason: undefined } as const;
  return { ...(worst ?? nothing), instances };
}
