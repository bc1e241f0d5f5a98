/** Requests go to another member of the registry, such as another agent. */
export interface RegistrySwitch {
  /** The addresses of both. */
  readonly from: string;
  readonly to: string;
  /** Why the one before is not used; undefined: it was a replacement, and the preferred one is back. */
  readonly reason: string | undefined;
}
