import { isIP } from 'node:net';
import { z } from 'zod';
import {
  integer,
  invalidConfigError,
  nonEmptyString,
  type OptionIssue,
  type OptionShape,
  validateOptions,
} from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { InstanceSource, type InstanceList } from './instance-source.js';
import { freezeInstance, hostAndPort, instanceKey, type ServiceInstance } from './service-instance.js';
import type { SourceQuery } from './service-query.js';

/** An instance of a static list; every field that is left out has a default. */
export type StaticInstance = Pick<ServiceInstance, 'address' | 'port'> &
  Partial<
    Pick<ServiceInstance, 'id' | 'secure' | 'tags' | 'meta' | 'weight' | 'zone' | 'node' | 'datacenter'>
  >;

/** The instances of each service: `'10.0.0.7:3000'`, or an object. */
export type StaticServices = Readonly<Record<string, readonly (string | StaticInstance)[]>>;

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s/]+)):(\d{1,5})$/;
const INSTANCE_HINT = "must be 'host:port', or { address: '10.0.0.7', port: 3000 }";

const schema = z.record(
  z.string(),
  z.array(
    z.union(
      [
        z.string({ error: INSTANCE_HINT }).refine(isHostAndPort, { error: INSTANCE_HINT }),
        z.strictObject({
          address: nonEmptyString("must be a host's name or address").regex(/^\S+$/, {
            error: "must be a host's name or address, without spaces",
          }),
          port: integer(1, 65_535, 'there is no default'),
          id: nonEmptyString('must be an id').optional(),
          secure: z.boolean({ error: 'must be true or false' }).optional(),
          tags: z.array(nonEmptyString('must be a string')).optional(),
          meta: z.record(z.string(), z.string({ error: 'must be a string' })).optional(),
          weight: z
            .number({ error: 'must be a number' })
            .positive({ error: 'must be more than 0' })
            .optional(),
          zone: nonEmptyString("must be a zone's name").optional(),
          node: nonEmptyString("must be a host's name").optional(),
          datacenter: nonEmptyString("must be a datacenter's name").optional(),
        } satisfies OptionShape<StaticInstance>),
      ],
      { error: INSTANCE_HINT },
    ),
    { error: "must be an array of instances, such as ['10.0.0.7:3000']" },
  ),
  { error: "must be an object such as { inventory: ['10.0.0.7:3000'] }" },
);

/**
 * A fixed list of instances in the app's options: for services outside of the registry, for development, and as the last
 * resort when there is no other list.
 *
 * @example
 * ```ts
 * ConsulModule.forRoot({
 *   discovery: { sources: ['registry', new StaticSource({ billing: ['10.0.0.7:3000', '10.0.0.8:3000'] })] },
 * });
 * ```
 */
export class StaticSource extends InstanceSource {
  override readonly description = 'the static list';
  readonly #services: ReadonlyMap<string, readonly ServiceInstance[]>;

  /** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue */
  constructor(services: StaticServices) {
    super();
    const issues = validateOptions(schema, services);
    if (issues.length > 0) throw invalidConfigError('StaticSource', issues);
    this.#services = new Map(
      Object.entries(services).map(([service, list]) => [
        service,
        Object.freeze(list.map((entry) => toInstance(service, entry))),
      ]),
    );
    const duplicates = [...this.#services].flatMap(([service, list]) => duplicatesIn(service, list));
    if (duplicates.length > 0) throw invalidConfigError('StaticSource', duplicates);
  }

  override async *watch(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    yield { instances: await this.readConsistent(service, query), source: 'live' };
    // The list never changes.
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  override async readConsistent(service: string, query: SourceQuery): Promise<readonly ServiceInstance[]> {
    if (query.filter !== undefined || query.preparedQuery) {
      const field = query.preparedQuery ? 'preparedQuery' : 'filter';
      throw new DiscoveryError(
        'RK_INVALID_ARGUMENT',
        `query.${field}: not supported by ${this.description}`,
        {
          hint: 'Use tags, meta or version',
        },
      );
    }
    const instances = this.#services.get(service) ?? [];
    const { datacenter } = query;
    return datacenter === undefined ? instances : instances.filter((i) => i.datacenter === datacenter);
  }

  override async services(): Promise<Record<string, readonly string[]>> {
    return Object.fromEntries(
      [...this.#services].map(([name, instances]) => [name, [...new Set(instances.flatMap((i) => i.tags))]]),
    );
  }

  override async ping(): Promise<{ leader: boolean }> {
    return { leader: true };
  }

  override async close(): Promise<void> {
    // There is nothing to release.
  }
}

function toInstance(service: string, entry: string | StaticInstance): ServiceInstance {
  const { address, port, ...rest }: StaticInstance = typeof entry === 'string' ? parse(entry) : entry;
  return freezeInstance({
    id: rest.id ?? `${service}-${hostAndPort({ address, port })}`,
    service,
    address,
    port,
    secure: rest.secure ?? false,
    tags: [...(rest.tags ?? [])],
    meta: { ...rest.meta },
    status: 'passing',
    weight: rest.weight ?? 1,
    zone: rest.zone,
    node: rest.node ?? '',
    datacenter: rest.datacenter ?? '',
  });
}

function duplicatesIn(service: string, list: readonly ServiceInstance[]): OptionIssue[] {
  const keys = list.map(instanceKey);
  return list.flatMap(({ id }, at) =>
    keys.indexOf(instanceKey(list[at] ?? { id, node: '', datacenter: '' })) === at
      ? []
      : [
          {
            field: `${service}.${at}`,
            value: JSON.stringify(id),
            hint: 'is used twice: each instance needs an id of its own',
          },
        ],
  );
}

function isHostAndPort(text: string): boolean {
  const [, v6, , port] = ADDRESS.exec(text) ?? [];
  return Number(port) > 0 && Number(port) < 65_536 && (v6 === undefined || isIP(v6) === 6);
}

function parse(text: string): StaticInstance {
  const [, v6, host, port] = ADDRESS.exec(text) ?? [];
  return { address: v6 ?? host ?? '', port: Number(port) };
}
