import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SrvRecord } from 'node:dns';
import { z } from 'zod';
import { toMilliseconds, type Duration } from '../configuration/duration.js';
import {
  durationSchema,
  invalidConfigError,
  nonEmptyString,
  type OptionShape,
  validateOptions,
} from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import { withAbort } from '../timing/with-timeout.js';
import { delay, systemClock, type Clock } from '../timing/clock.js';
import { InstanceSource, type InstanceList } from './instance-source.js';
import { freezeInstance, hostAndPort, type ServiceInstance } from './service-instance.js';
import type { SourceQuery } from './service-query.js';

export interface DnsSourceOptions {
  /** Name servers, as `127.0.0.1:8600`. Default: those of the system. */
  servers?: readonly string[];
  /** The name of a service's SRV records. Default: Consul's, `<service>.service[.<datacenter>].consul`. */
  name?: (service: string, datacenter: string | undefined) => string;
  /** The interval between two lookups. Default: `'5s'`. */
  interval?: Duration;
  /** Deadline of one lookup. Default: `'2s'`. */
  timeout?: Duration;
}

export const dnsSourceOptionsSchema = z.strictObject(
  {
    servers: z
      .array(
        nonEmptyString("must be a name server's address, such as '127.0.0.1:8600'").refine(isNameServer, {
          error: "must be a name server's IP address, such as '127.0.0.1:8600'",
        }),
        { error: "must be an array of name servers, such as ['127.0.0.1:8600']" },
      )
      .min(1, { error: 'must have at least one name server; leave it out for those of the system' })
      .optional(),
    name: z
      .custom<DnsSourceOptions['name']>((value) => typeof value === 'function', {
        error: 'must be a function of the service and the datacenter',
      })
      .optional(),
    interval: durationSchema(100).optional(),
    timeout: durationSchema(10, 60_000).optional(),
  } satisfies OptionShape<DnsSourceOptions>,
  { error: 'must be an object' },
);

const NO_RECORDS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Looks up instances by SRV records, of Consul's own DNS or any other.
 *
 * Use it when no API can be reached, since DNS has less information: no tags, no meta, no status; *warning* counts as
 * passing; changes are not pushed. A resolver without EDNS, such as Node's, gets three instances of fifty, selected at
 * random each time: instances seen before stay in use for 30 s while they are reachable.
 *
 * @example
 * ```ts
 * discovery: { sources: ['registry', new DnsSource({ servers: ['127.0.0.1:8600'] })] }
 * ```
 */
export class DnsSource extends InstanceSource {
  override readonly description: string;
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #name: NonNullable<DnsSourceOptions['name']>;
  readonly #everyMs: number;

  /** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue */
  constructor(options: DnsSourceOptions = {}, clock: Clock = systemClock) {
    super();
    const issues = validateOptions(dnsSourceOptionsSchema, options);
    if (issues.length > 0) throw invalidConfigError('DnsSource', issues);
    const { servers, name = consulName, interval = '5s', timeout = '2s' } = options;
    this.#resolver = new Resolver({ timeout: toMilliseconds(timeout, 'timeout'), tries: 2 });
    if (servers) this.#resolver.setServers(servers);
    this.#clock = clock;
    this.#name = name;
    this.#everyMs = toMilliseconds(interval, 'every');
    this.description = `DNS at ${servers?.join(', ') ?? "the system's resolver"}`;
  }

  override async *watch(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    for (;;) {
      yield { instances: await this.readConsistent(service, query, signal), source: 'live', mode: 'polled' };
      await delay(this.#clock, this.#everyMs * (0.9 + 0.2 * Math.random()), signal);
    }
  }

  override async readConsistent(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]> {
    for (const field of ['filter', 'near', 'preparedQuery'] as const) {
      if (query[field] === undefined) continue;
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `query.${field}: not supported by DNS`);
    }
    const name = this.#name(service, query.datacenter);
    const records = await this.#lookUp(name, () => this.#resolver.resolveSrv(name), signal);
    // RFC 2782: a client uses the records with the lowest priority number that it can reach.
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

  /** DNS has no request to test it with: no name is certain to exist. */
  override async ping(): Promise<{ leader: boolean }> {
    return { leader: true };
  }

  override async close(): Promise<void> {
    this.#resolver.cancel();
  }

  /** All addresses, sorted: name servers rotate the order of their records. */
  async #addressesOf(target: string, signal: AbortSignal): Promise<readonly string[]> {
    if (isIP(target)) return [target];
    const v4 = await this.#lookUp(target, () => this.#resolver.resolve4(target), signal);
    if (v4.length > 0) return v4.sort();
    return (await this.#lookUp(target, () => this.#resolver.resolve6(target), signal)).sort();
  }

  async #lookUp<T>(name: string, look: () => Promise<T[]>, signal: AbortSignal): Promise<T[]> {
    try {
      return await withAbort(look(), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (NO_RECORDS.has((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw new DiscoveryError(
        'RK_REGISTRY_UNREACHABLE',
        `${this.description}: ${name}: ${errorMessage(error)}`,
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
