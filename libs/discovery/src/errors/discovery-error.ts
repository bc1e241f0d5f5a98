/**
 * The stable codes of every error that Rookery raises. Match on these, never on a message.
 *
 * | code | meaning | retry? |
 * |---|---|---|
 * | `RK_CONFIG_INVALID` | an option, an environment variable or a file they name is wrong | no |
 * | `RK_INVALID_ARGUMENT` | a method was called with an argument the registry could not take | no |
 * | `RK_NO_INSTANCES` | the service has no instance that may be used | later |
 * | `RK_CALL_FAILED` | every attempt of a call failed | by its cause |
 * | `RK_CALL_TIMEOUT` | the whole call ran past its deadline | by its meaning |
 * | `RK_CIRCUIT_OPEN` | no attempt was made: most calls to the service failed of late | later |
 * | `RK_OVERLOADED` | no attempt was made: as many calls to the service as may be are under way | later |
 * | `RK_REGISTRY_UNREACHABLE` | the registry refused, reset or never took the connection | yes |
 * | `RK_REGISTRY_TIMEOUT` | the registry took the request and did not answer in time | yes |
 * | `RK_REGISTRY_NO_LEADER` | the registry's servers have no leader, or cannot be reached by its agent | yes |
 * | `RK_REGISTRY_LIMITED` | the registry limits our rate or our connections | after a pause |
 * | `RK_REGISTRY_FAILED` | any other 5xx of the registry | yes |
 * | `RK_REGISTRY_REFUSED` | the registry calls the request wrong (400, 405, 413) | no |
 * | `RK_REGISTRY_BAD_ANSWER` | the registry's answer is not what its API promises | yes |
 * | `RK_ACL_DENIED` | the token is missing, unknown or may not do this | with another token |
 * | `RK_NOT_FOUND` | the thing asked for does not exist | no |
 * | `RK_ID_CONFLICT` | the instance id, or the id of a check, belongs to another instance | no |
 * | `RK_CONFLICT` | a transaction was rolled back | after reading again |
 * | `RK_SHUT_DOWN` | it was used after `app.close()` | no |
 */
export type DiscoveryErrorCode =
  | 'RK_CONFIG_INVALID'
  | 'RK_INVALID_ARGUMENT'
  | 'RK_NO_INSTANCES'
  | 'RK_CALL_FAILED'
  | 'RK_CALL_TIMEOUT'
  | 'RK_CIRCUIT_OPEN'
  | 'RK_OVERLOADED'
  | 'RK_REGISTRY_UNREACHABLE'
  | 'RK_REGISTRY_TIMEOUT'
  | 'RK_REGISTRY_NO_LEADER'
  | 'RK_REGISTRY_LIMITED'
  | 'RK_REGISTRY_FAILED'
  | 'RK_REGISTRY_REFUSED'
  | 'RK_REGISTRY_BAD_ANSWER'
  | 'RK_ACL_DENIED'
  | 'RK_NOT_FOUND'
  | 'RK_ID_CONFLICT'
  | 'RK_CONFLICT'
  | 'RK_SHUT_DOWN';

export interface DiscoveryErrorDetails {
  /** What the reader can do about it; one sentence, appended to the message. */
  hint?: string;
  cause?: unknown;
  /** For how many milliseconds the other side asked to be left alone. */
  retryAfter?: number;
}

/**
 * The base of every error of Rookery: the message says what was tried, where, and why it failed, then what to do.
 *
 * @example
 * ```ts
 * try {
 *   await discovery.choose('inventory');
 * } catch (error) {
 *   if (error instanceof DiscoveryError && error.code === 'RK_NO_INSTANCES') return cachedBooks;
 *   throw error;
 * }
 * ```
 */
export class DiscoveryError extends Error {
  readonly code: DiscoveryErrorCode;
  readonly hint: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: DiscoveryErrorCode, message: string, details: DiscoveryErrorDetails = {}) {
    super(
      details.hint ? `${message}. ${details.hint}` : message,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
    this.retryAfter = details.retryAfter;
  }
}

/** For whoever still asks after `app.close()`. */
export function shutDown(): DiscoveryError {
  return new DiscoveryError('RK_SHUT_DOWN', 'discovery has been shut down', {
    hint: 'It was used during or after app.close()',
  });
}
