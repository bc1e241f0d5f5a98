import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SrvRecord } from 'node:dns';
import { z } from 'zod';
import { toMilliseconds, type Duration } from '../configuration/duration.js';
import { configInvalid, durationSchema, findMistakes, text } from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/error-message.js';
import { abortable } from '../timing/with-timeout.js';
import { pause, systemClock, type Clock } from '../timing/clock.js';
import { InstanceSource, type InstanceList } from './instance-source.js';
import { freezeInstance, hostAndPort, type ServiceInstance } from './service-instance.js';
import type { SourceQuery } from './service-query.js';

export interface DnsRegistryOptions {
  /** Name servers, as `127.0.0.1:8600`. Default: those of the system. */
  servers?: readonly string[];
  /** The name of a service's SRV records. Default: Consul's, `<service>.service[.<datacenter>].consul`. */
  name?: (service: string, datacenter: string | undefined) => string;
  /** How often the records are looked up. Default: `'5s'`. */
  every?: Duration;
  /** Deadline of one lookup. Default: `'2s'`. */
  timeout?: Duration;
}

const schema = z.strictObject(
  {
    servers: z
      .array(
        text("must be a name server's address, such as '127.0.0.1:8600'").refine(isNameServer, {
          error: "must be a name server's IP address, such as '127.0.0.1:8600'",
        }),
        { error: "must be an array of name servers, such as ['127.0.0.1:8600']" },
      )
      .min(1, { error: 'must name at least one; leave it out for those of the system' })
      .optional(),
    name: z
      .custom<DnsRegistryOptions['name']>((value) => typeof value === 'function', {
        error: 'must be a function of the service and the datacenter',
      })
      .optional(),
    every: durationSchema(100).optional(),
    timeout: durationSchema(10, 60_000).optional(),
  },
  { error: 'must be an object' },
);

const NONE: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Instances by SRV records: those of Consul's own DNS, or any others.
 *
 * DNS tells less than an API, and this is for when there is nothing else: no tags, no meta, no status; what is *warning*
 * counts as passing; nothing is pushed. A resolver without EDNS, as Node's is, is shown three instances of fifty, chosen
 * anew each time: those seen before stay in use for 30 s while they answer.
 *
 * @example
 * ```ts
 * discovery: { sources: ['registry', new DnsRegistry({ servers: ['127.0.0.1:8600'] })] }
 * ```
 */
export class DnsRegistry extends InstanceSource {
  override readonly description: string;
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #name: NonNullable<DnsRegistryOptions['name']>;
  readonly #everyMs: number;

  /** @throws DiscoveryError `RK_CONFIG_INVALID` with every mistake */
  constructor(options: DnsRegistryOptions = {}, clock: Clock = systemClock) {
    super();
    const mistakes = findMistakes(schema, options);
    if (mistakes.length > 0) throw configInvalid('DnsRegistry', mistakes);
    const { servers, name = consulName, every = '5s', timeout = '2s' } = options;
    this.#resolver = new Resolver({ timeout: toMilliseconds(timeout, 'timeout'), tries: 2 });
    if (servers) this.#resolver.setServers(servers);
    this.#clock = clock;
    this.#name = name;
    this.#everyMs = toMilliseconds(every, 'every');
    this.description = `DNS at ${servers?.join(', ') ?? "the system's resolver"}`;
  }

  override async *watch(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    for (;;) {
      yield { instances: await this.confirm(service, query, signal), source: 'live', how: 'polled' };
      await pause(this.#clock, this.#everyMs * (0.9 + 0.2 * Math.random()), signal);
    }
  }

  override async confirm(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]> {
    for (const field of ['filter', 'near', 'preparedQuery'] as const) {
      if (query[field] === undefined) continue;
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `query.${field}: DNS has no such thing`);
    }
    const name = this.#name(service, query.datacenter);
    const records = await this.#lookUp(name, () => this.#resolver.resolveSrv(name), signal);
    // RFC 2782: a client uses the records of the lowest number it can reach.
    const first = Math.min(...records.map(({ priority }) => priority));
    const best = records.filter(({ priority }) => priority === first);
    const targets = [...new Set(best.map((record) => record.name))];
    const addresses = await Promise.all(targets.map((target) => this.#addressesOf(target, signal)));
    const known = new Map(targets.map((target, at) => [target, addresses[at]]));
    return best.flatMap((record) => {
      const found = known.get(record.name) ?? [];
      return found.map((address) => toInstance(service, query, record, address));
    });
  }

  /** DNS has no list of services. */
  override async services(): Promise<Record<string, readonly string[]>> {
    return {};
  }

  /** There is nothing to ask for but a name, and none that always exists. */
  override async ping(): Promise<{ leader: boolean }> {
    return { leader: true };
  }

  override async close(): Promise<void> {
    this.#resolver.cancel();
  }

  /** All of them, sorted: name servers rotate what they answer. */
  async #addressesOf(target: string, signal: AbortSignal): Promise<readonly string[]> {
    if (isIP(target)) return [target];
    const v4 = await this.#lookUp(target, () => this.#resolver.resolve4(target), signal);
    if (v4.length > 0) return v4.sort();
    return (await this.#lookUp(target, () => this.#resolver.resolve6(target), signal)).sort();
  }

  async #lookUp<T>(name: string, look: () => Promise<T[]>, signal: AbortSignal): Promise<T[]> {
    try {
      return await abortable(look(), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (NONE.has((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw new DiscoveryError(
        'RK_REGISTRY_UNREACHABLE',
        `${this.description}: ${name}: ${reasonOf(error)}`,
        {
          cause: error,
          hint: "Does a name server listen there? Consul's listens on port 8600",
        },
      );
    }
  }
}

function consulName(service: string, datacenter: string | undefined): string {
  return datacenter === undefined ? `${service}.service.consul` : `${service}.service.${datacenter}.consul`;
}

function toInstance(
  service: string,
  { datacenter }: SourceQuery,
  { name, port, weight }: SrvRecord,
  address: string,
): ServiceInstance {
  return freezeInstance({
    id: `${service}-${hostAndPort({ address, port })}`,
    service,
    address,
    port,
    secure: false,
    tags: [],
    meta: {},
    status: 'passing',
    weight: Math.max(1, weight),
    zone: undefined,
    node: name,
    datacenter: datacenter ?? '',
  });
}

function isNameServer(value: string): boolean {
  if (isIP(value)) return true;
  const [, v6, v4, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
  const isPort = port !== undefined && Number(port) > 0 && Number(port) < 65_536;
  return isPort && ((v6 !== undefined && isIP(v6) === 6) || (v4 !== undefined && isIP(v4) === 4));
}
