/** `response.request` and `error.request`: the part of Node's `ClientRequest` that axios's users read. */
export class SentRequest {
  readonly method: string;
  readonly path: string;
  /** Scheme, host and port. */
  readonly origin: string;

  readonly #url: string | undefined;

  /** @param url with its fragment, for the target of a redirect */
  constructor(method: string, origin: string, path: string, url?: string) {
    this.method = method;
    this.origin = origin;
    this.path = path;
    this.#url = url;
  }

  get protocol(): string {
    return new URL(this.origin).protocol;
  }

  get host(): string {
    return new URL(this.origin).hostname;
  }

  /** The URL that answered, after all redirects. */
  get res(): { readonly responseUrl: string } {
    return { responseUrl: this.#url ?? this.origin + this.path };
  }
}
