import type { InternalAxiosRequestConfig } from 'axios';
import { defaultBeyondMerge } from './known-options.js';

type Values = Record<string, unknown>;

/** The defaults of an instance of axios, which its user may change at any time: looked at by each request, and read when they did. */
export class RequestDefaults {
  readonly #defaults: object;
  readonly #adapter: unknown;
  #seen: unknown[] = [];
  #beyond: string | undefined;
  #template: Values = {};

  constructor(defaults: object, adapter: unknown) {
    this.#defaults = defaults;
    this.#adapter = adapter;
  }

  /** The name of a default that is left to axios's core; undefined: there is none. */
  get beyond(): string | undefined {
    if (this.#hasChanged()) this.#read();
    return this.#beyond;
  }

  /** The config of a request without options of its own, to be completed; after `beyond`. */
  config(): InternalAxiosRequestConfig & Values {
    return { ...this.#template } as InternalAxiosRequestConfig & Values;
  }

  get headers(): unknown {
    return (this.#defaults as Values).headers;
  }

  get values(): Values {
    return this.#template;
  }

  #hasChanged(): boolean {
    let n = 0;
    const seen = this.#seen;
    const values = this.#defaults as Values;
    for (const name in values) {
      if (seen[n++] !== values[name]) return true;
    }
    const transitional = values.transitional as Values | undefined;
    for (const name in transitional) if (seen[n++] !== transitional[name]) return true;
    return n !== seen.length;
  }

  #read(): void {
    const values = this.#defaults as Values;
    const { transitional } = values;
    this.#seen = [...Object.values(values), ...Object.values((transitional ?? {}) as Values)];
    this.#beyond = defaultBeyondMerge(values, this.#adapter);
    this.#template = {
      ...values,
      allowAbsoluteUrls: values.allowAbsoluteUrls ?? true,
      method: undefined,
      url: undefined,
      data: undefined,
      headers: undefined,
    };
  }
}
