/** The registry that the bookshop runs on. */
export interface UsedRegistry {
  /** `Consul`. */
  readonly name: string;
  /** One line that says which one this is. */
  readonly description: string;
  /** By which the apps find it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where a browser shows what it has; undefined: it may have no such page. */
  readonly page?: string;
  /** For the screen of `npm start`: what lists the services, and what sets a discount. */
  readonly commands: { readonly list: string; readonly discount: string };
  /** Sets a key of the configuration. */
  put(key: string, value: string): Promise<void>;
  /** How many instances of a service it has that are well. */
  count(service: string): Promise<number>;
  /** Removes an instance that was killed: a registry that was running before must not keep it. Never rejects. */
  remove(service: string, id: string): Promise<void>;
  /** Stops it if this process started it; one that was already running stays. */
  stop(): Promise<void>;
}

/** One that this process started, and may stop and restart. */
export interface OwnRegistry extends UsedRegistry {
  kill(): Promise<void>;
  /** On the same address, with nothing in it. */
  restartEmpty(): Promise<void>;
}
