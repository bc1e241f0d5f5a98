/**
 * Where instances are: `<prefix>/<service>/<id>`. A range of a service ends with a slash, so that `app` never has the instances of
 * `app2`, and a key with a further slash is of a service whose name has one.
 */
export class InstanceKeys {
  readonly #root: string;

  /** @param prefix without a slash at its end; empty: keys begin with the name of the service */
  constructor(prefix: string) {
    this.#root = prefix === '' ? '' : `${prefix}/`;
  }

  /** Of all services. */
  get all(): { readonly prefix: string } {
    return { prefix: this.#root };
  }

  of(service: string): { readonly prefix: string } {
    return { prefix: `${this.#root}${service}/` };
  }

  key(service: string, id: string): string {
    return this.of(service).prefix + encode(id);
  }

  /** Undefined: it is not the key of an instance. */
  parse(key: string): { readonly service: string; readonly id: string } | undefined {
    if (!key.startsWith(this.#root)) return undefined;
    const path = key.slice(this.#root.length);
    const at = path.lastIndexOf('/');
    if (at <= 0 || at === path.length - 1) return undefined;
    return { service: path.slice(0, at), id: decode(path.slice(at + 1)) };
  }
}

/** What would look like a part of the path. */
function encode(id: string): string {
  return id.replace(/[%/]/g, (character) => encodeURIComponent(character));
}

function decode(text: string): string {
  return text.replace(/%2F|%25/gi, (escaped) => decodeURIComponent(escaped));
}
