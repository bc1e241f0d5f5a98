/**
 * Where this app stands in the registry.
 * - `idle`: not asked for yet, or the app has no service to register
 * - `waiting`: the app is not ready yet, or the registry has not answered yet
 * - `registered`: the registry has us
 * - `unreachable`: the registry does not answer; it may still have us
 * - `deregistered`: taken out
 */
export interface RegistrationStatus {
  readonly state: 'idle' | 'waiting' | 'registered' | 'unreachable' | 'deregistered';
  /** Instance id, once it is known. */
  readonly id: string | undefined;
  /** Why it is `waiting` or `unreachable`. */
  readonly reason: string | undefined;
}
