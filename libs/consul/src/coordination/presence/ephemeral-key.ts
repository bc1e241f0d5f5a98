interface Owner<T> {
  encode(value: T): string | Uint8Array;
  changed(): void;
  remove(): Promise<void>;
}

/** A key of this process, which Consul deletes when the process ends. */
export class EphemeralKey<T> {
  readonly key: string;
  /** Resolves after the first attempt to write it. @internal */
  readonly firstTry: Promise<void>;
  readonly #owner: Owner<T>;
  #value: string | Uint8Array;
  #isWritten = false;
  #isTried = false;
  #resolve: () => void = () => undefined;

  /** @internal */
  constructor(key: string, value: string | Uint8Array, owner: Owner<T>) {
    this.key = key;
    this.#value = value;
    this.#owner = owner;
    this.firstTry = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Consul has it, with its present value, as far as this process knows. */
  get isWritten(): boolean {
    return this.#isWritten;
  }

  /** @internal */
  get isTried(): boolean {
    return this.#isTried;
  }

  /**
   * Changes the value; it is written in the background.
   *
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a value without a form in the codec
   */
  update(value: T): void {
    this.#value = this.#owner.encode(value);
    this.#isWritten = this.#isTried = false;
    this.#owner.changed();
  }

  /**
   * Deletes the key, while the process lives.
   *
   * @throws DiscoveryError when Consul does not respond; the key ends with the session
   */
  async remove(): Promise<void> {
    await this.#owner.remove();
  }

  /** The value to write now. @internal */
  begin(): string | Uint8Array {
    this.#isTried = true;
    return this.#value;
  }

  /** @internal */
  tried(isWritten: boolean): void {
    // Unless the value has changed meanwhile.
    this.#isWritten = isWritten && this.#isTried;
    this.#resolve();
  }

  /** @internal */
  lost(): void {
    this.#isWritten = this.#isTried = false;
  }
}
