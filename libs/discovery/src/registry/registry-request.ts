/** A request to the registry that has ended. */
export interface RegistryRequest {
  /** What was asked, without names and keys, so that there are few: `GET health/service`. */
  readonly operation: string;
  /** It was to wait for a change. */
  readonly isBlocking: boolean;
  readonly durationMs: number;
  /** Of HTTP; undefined: there was no response, or the registry has no such status. */
  readonly status: number | undefined;
  /** Undefined: it succeeded. */
  readonly error: unknown;
}
