/** A new version of the configuration is in use. */
export interface ConfigChange {
  /** Counts from 1, the version at the start. */
  readonly version: number;
  /** The paths of all values that were added, changed or removed. */
  readonly paths: readonly string[];
}

/** Where a value comes from. */
export interface ConfigOrigin {
  /** `limits.rate` */
  readonly path: string;
  /** The value in use; `(secret)` for a secret. */
  readonly value: unknown;
  /** The key in the registry, or `defaults`. */
  readonly key: string;
  /** What the value overrides, the most specific first. */
  readonly overrides: readonly { readonly key: string; readonly value: unknown }[];
}

/** What `LiveConfig.explain` returns. */
export interface ConfigExplanation {
  readonly path: string;
  /** The value in use, with its secrets replaced; undefined when there is none. */
  readonly value: unknown;
  /** The origin of each single value at the path or below it. */
  readonly origins: readonly ConfigOrigin[];
  /** The trees that are read, the least specific first, and how many keys each has; undefined: it has never been read. */
  readonly layers: readonly { readonly path: string; readonly keys: number | undefined }[];
  readonly version: number;
  /** Whether the registry confirmed the values, and no longer does, or never did in this process. */
  readonly state: 'live' | 'stale' | 'disk' | 'defaults';
  /** What keeps a later edit from being used. */
  readonly problems: readonly { readonly key: string; readonly reason: string }[];
}
