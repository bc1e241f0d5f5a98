import type { Clock } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';

const VALID_MS = 10_000;

interface Read {
  readonly at: number;
  readonly names: Promise<readonly string[]>;
}

/** The names of all services of a datacenter, read at most every ten seconds, however many services are looked for in vain. */
export class ServiceNames {
  readonly #client: ConsulClient;
  readonly #clock: Clock;
  readonly #byDatacenter = new Map<string | undefined, Read>();

  constructor(client: ConsulClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  read(datacenter: string | undefined): Promise<readonly string[]> {
    const known = this.#byDatacenter.get(datacenter);
    const at = this.#clock.now();
    if (known && at - known.at < VALID_MS) return known.names;
    const names = this.#client.catalog
      .services(datacenter === undefined ? {} : { datacenter })
      .then(({ body }) => Object.keys(body));
    this.#byDatacenter.set(datacenter, { at, names });
    return names;
  }
}
