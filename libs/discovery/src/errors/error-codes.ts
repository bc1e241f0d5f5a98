/** What a code tells about the request that failed. */
export interface ErrorClass {
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** The other side took the request and answered, if only to say no. */
  readonly reachable: boolean;
  /** The request itself was rejected: nothing was changed by it, and waiting does not help. */
  readonly refused: boolean;
  /** The registry answers, and its servers cannot do what they should: this is so for all apps of a datacenter together. */
  readonly inTrouble: boolean;
}

const UNREACHABLE: ErrorClass = { retryable: true, reachable: false, refused: false, inTrouble: false };
const BUSY: ErrorClass = { retryable: true, reachable: true, refused: false, inTrouble: false };
const REFUSED: ErrorClass = { retryable: false, reachable: true, refused: true, inTrouble: false };
const FAILED: ErrorClass = { retryable: false, reachable: true, refused: false, inTrouble: false };

/**
 * The stable codes of every error that Rookery raises, and the class of each. Match on codes, never on messages.
 *
 * | code | meaning | retry? |
 * |---|---|---|
 * | `RK_CONFIG_INVALID` | an option, an environment variable or a file that they name is wrong | no |
 * | `RK_INVALID_ARGUMENT` | a method was called with an argument that the registry could not take | no |
 * | `RK_NO_INSTANCES` | the service has no instance that may be used | later |
 * | `RK_CALL_FAILED` | every attempt of a call failed | by its cause |
 * | `RK_CALL_TIMEOUT` | the whole call ran past its deadline | by its meaning |
 * | `RK_INVALID_RESPONSE` | the response is not as a declarative client declares it | no |
 * | `RK_CIRCUIT_OPEN` | no attempt was made: most recent calls to the service failed | later |
 * | `RK_OVERLOADED` | no attempt was made: the bulkhead of the service is full | later |
 * | `RK_REGISTRY_UNREACHABLE` | the connection to the registry was refused, reset or never established | yes |
 * | `RK_REGISTRY_TIMEOUT` | the registry took the request and did not answer in time | yes |
 * | `RK_REGISTRY_NO_LEADER` | the registry's servers have no leader, or its agent cannot reach them | yes |
 * | `RK_REGISTRY_LIMITED` | the registry limits our rate or our connections | after a delay |
 * | `RK_UNKNOWN_DATACENTER` | the registry answered, and knows no such datacenter; or has lost its connection to it | yes |
 * | `RK_REGISTRY_ERROR` | any other 5xx of the registry | yes |
 * | `RK_REGISTRY_BAD_REQUEST` | the registry rejected the request as malformed (400, 405, 413) | no |
 * | `RK_REGISTRY_BAD_RESPONSE` | the registry's response is not what its API promises | yes |
 * | `RK_ACL_DENIED` | the token is missing, unknown or lacks the permission | with another token |
 * | `RK_NOT_FOUND` | the requested object does not exist | no |
 * | `RK_ID_CONFLICT` | the instance id, or the id of a check, belongs to another instance | no |
 * | `RK_TRANSACTION_CONFLICT` | a transaction was rolled back | after reading again |
 * | `RK_LOCK_TIMEOUT` | the lock was not free within `waitFor` | later |
 * | `RK_LOCK_LOST` | the lock is not, or may no longer be, held: what it protects must stop | by acquiring it again |
 * | `RK_LOCK_CONFLICT` | the key holds something else than a lock, or a semaphore with another limit | no |
 * | `RK_SHUT_DOWN` | discovery was used after `app.close()` | no |
 */
export type DiscoveryErrorCode =
  | 'RK_CONFIG_INVALID'
  | 'RK_INVALID_ARGUMENT'
  | 'RK_NO_INSTANCES'
  | 'RK_CALL_FAILED'
  | 'RK_CALL_TIMEOUT'
  | 'RK_INVALID_RESPONSE'
  | 'RK_CIRCUIT_OPEN'
  | 'RK_OVERLOADED'
  | 'RK_REGISTRY_UNREACHABLE'
  | 'RK_REGISTRY_TIMEOUT'
  | 'RK_REGISTRY_NO_LEADER'
  | 'RK_REGISTRY_LIMITED'
  | 'RK_UNKNOWN_DATACENTER'
  | 'RK_REGISTRY_ERROR'
  | 'RK_REGISTRY_BAD_REQUEST'
  | 'RK_REGISTRY_BAD_RESPONSE'
  | 'RK_ACL_DENIED'
  | 'RK_NOT_FOUND'
  | 'RK_ID_CONFLICT'
  | 'RK_TRANSACTION_CONFLICT'
  | 'RK_LOCK_TIMEOUT'
  | 'RK_LOCK_LOST'
  | 'RK_LOCK_CONFLICT'
  | 'RK_SHUT_DOWN';

/** The one table of error classes; whatever decides on an error's kind reads it here. */
export const ERROR_CLASSES: Readonly<Record<DiscoveryErrorCode, ErrorClass>> = {
  RK_CONFIG_INVALID: REFUSED,
  RK_INVALID_ARGUMENT: REFUSED,
  RK_NO_INSTANCES: BUSY,
  RK_CALL_FAILED: FAILED,
  RK_CALL_TIMEOUT: FAILED,
  RK_INVALID_RESPONSE: FAILED,
  RK_CIRCUIT_OPEN: BUSY,
  RK_OVERLOADED: BUSY,
  RK_REGISTRY_UNREACHABLE: UNREACHABLE,
  RK_REGISTRY_TIMEOUT: UNREACHABLE,
  RK_REGISTRY_NO_LEADER: { ...UNREACHABLE, inTrouble: true },
  RK_REGISTRY_LIMITED: BUSY,
  RK_UNKNOWN_DATACENTER: BUSY,
  RK_REGISTRY_ERROR: { ...BUSY, inTrouble: true },
  RK_REGISTRY_BAD_REQUEST: REFUSED,
  RK_REGISTRY_BAD_RESPONSE: BUSY,
  RK_ACL_DENIED: REFUSED,
  RK_NOT_FOUND: REFUSED,
  RK_ID_CONFLICT: REFUSED,
  RK_TRANSACTION_CONFLICT: REFUSED,
  RK_LOCK_TIMEOUT: BUSY,
  RK_LOCK_LOST: FAILED,
  RK_LOCK_CONFLICT: REFUSED,
  RK_SHUT_DOWN: REFUSED,
};
