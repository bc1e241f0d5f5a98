import { Readable } from 'node:stream';

/** What a body needs of the exchange that it belongs to. */
export interface BodySource {
  /** Lets the connection be read on. */
  resume(): void;
  /** The reader does not want the rest. */
  abort(reason: Error): void;
}

/** The body of a response, as its reader sees it: the connection is read no faster than the reader does. */
export class BodyStream extends Readable {
  readonly #source: BodySource;

  constructor(source: BodySource) {
    super();
    this.#source = source;
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.readableEnded) this.#source.abort(error ?? new Error('the response was not read to its end'));
    done(error);
  }
}
