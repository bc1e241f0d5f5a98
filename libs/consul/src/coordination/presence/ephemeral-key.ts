interface Owner<T> {
  encode(value: T): string | Uint8Array;
  changed(): void;
  remove(): Promise<void>;
}

/** A key of this process, which Consul deletes when the process ends. */
export class EphemeralKey<T> {
  readonly key: string;
  /** Settles after the first attempt to write it; rejects when it can never be. @internal */
  readonly firstTry: Promise<void>;
  readonly #owner: Owner<T>;
  #value: string | Uint8Array;
  #isWritten = false;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  /** @internal */
  constructor(key: string, value: string | Uint8Array, owner: Owner<T>) {
    this.key = key;
    this.#value = value;
    this.#owner = owner;
    this.firstTry = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It is handled where it is awaited.
    this.firstTry.catch(() => undefined);
  }

  /** Consul has it, with its present value, as far as this process knows. */
  get isWritten(): boolean {
    return this.#isWritten;
  }

  /**
   * Changes the value; it is written in the background.
   *
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a value without a form in the codec
   */
  update(value: T): void {
    this.#value = this.#owner.encode(value);
    this.#isWritten = false;
    this.#owner.changed();
  }

  /**
   * Deletes the key, while the process lives; nothing happens if it was removed before.
   *
   * @throws DiscoveryError when Consul does not respond; the key ends with the session
   */
  async remove(): Promise<void> {
    await this.#owner.remove();
  }

  /** The value to write now. @internal */
  get value(): string | Uint8Array {
    return this.#value;
  }

  /** @param value what was written, or was not @internal */
  tried(value: string | Uint8Array, isWritten: boolean): void {
    // Unless it has changed meanwhile.
    this.#isWritten = isWritten && value === this.#value;
    this.#resolve();
  }

  /** Consul has it no more. @internal */
  lost(): void {
    this.#isWritten = false;
  }

  /** It is never written: the app is closed, or the key is something else. @internal */
  fail(error: Error): void {
    this.#isWritten = false;
    this.#reject(error);
  }
}
