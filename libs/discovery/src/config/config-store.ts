/** A key and its value, as the store of a registry has them. */
export interface StoredKey {
  readonly key: string;
  readonly value: Buffer;
}

/** All keys that begin with a prefix, as they are at present. */
export interface KeyTree {
  /** In the order of their keys. */
  readonly entries: readonly StoredKey[];
  /**
   * It follows from the previous update of the same watch without a gap, so that keys that it does not have were deleted. Otherwise the registry may
   * have lost them.
   */
  readonly isContinuous: boolean;
}

/** What is called how, in messages. */
export interface ConfigNames {
  /** The registry. */
  readonly registry: string;
  /** The module that adds the decorators, the events and the health. */
  readonly module: string;
  /** The function that loads a configuration. */
  readonly factory: string;
}

/** The keys of a registry, for live configuration. One for each configuration that is loaded, and closed with it. */
export interface ConfigStore {
  /** What tells it from another one, for files that are kept of it. */
  readonly scope: readonly (string | null)[];
  /** Updates are pushed, and cost no request. */
  readonly isPushed: boolean;
  /** @param isConsistent as the servers have it now, and not as one of them had it a moment ago */
  list(prefix: string, signal: AbortSignal, isConsistent: boolean): Promise<readonly StoredKey[]>;
  /** As the servers have it now. @returns undefined when there is no such key */
  get(key: string, signal: AbortSignal): Promise<StoredKey | undefined>;
  /** Throws at the first error; a new one is started then. */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<KeyTree>;
  /** What a reader of the prefix has to be allowed, for a hint. */
  readRule(prefix: string): string;
  close(): Promise<void>;
}
