import { isIP } from 'node:net';
import { z } from 'zod';
import {
  configInvalid,
  findMistakes,
  text,
  wholeNumber,
  type OptionMistake,
} from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { InstanceSource, type InstanceList } from './instance-source.js';
import { freezeInstance, hostAndPort, instanceKey, type ServiceInstance } from './service-instance.js';
import type { SourceQuery } from './service-query.js';

/** An instance that is written down; what is left out has a plain default. */
export type StaticInstance = Pick<ServiceInstance, 'address' | 'port'> &
  Partial<
    Pick<ServiceInstance, 'id' | 'secure' | 'tags' | 'meta' | 'weight' | 'zone' | 'node' | 'datacenter'>
  >;

/** For each service its instances: `'10.0.0.7:3000'`, or all that is to be said of one. */
export type StaticServices = Readonly<Record<string, readonly (string | StaticInstance)[]>>;

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s/]+)):(\d{1,5})$/;
const cure = "must be 'host:port', or { address: '10.0.0.7', port: 3000 }";

const schema = z.record(
  z.string(),
  z.array(
    z.union(
      [
        z.string({ error: cure }).refine(isHostAndPort, { error: cure }),
        z.strictObject({
          address: text("must be a host's name or address").regex(/^\S+$/, {
            error: "must be a host's name or address, without spaces",
          }),
          port: wholeNumber(1, 65_535, 'there is no default'),
          id: text('must be an id').optional(),
          secure: z.boolean({ error: 'must be true or false' }).optional(),
          tags: z.array(text('must be text')).optional(),
          meta: z.record(z.string(), z.string({ error: 'must be text' })).optional(),
          weight: z
            .number({ error: 'must be a number' })
            .positive({ error: 'must be more than 0' })
            .optional(),
          zone: text("must be a zone's name").optional(),
          node: text("must be a host's name").optional(),
          datacenter: text("must be a datacenter's name").optional(),
        }),
      ],
      { error: cure },
    ),
    { error: "must be an array of instances, such as ['10.0.0.7:3000']" },
  ),
  { error: "must be an object such as { inventory: ['10.0.0.7:3000'] }" },
);

/**
 * Instances that are written down in the app's options: for what no registry knows, for development, and as the last
 * resort when there is no other list.
 *
 * @example
 * ```ts
 * ConsulModule.forRoot({
 *   discovery: { sources: ['registry', new StaticRegistry({ billing: ['10.0.0.7:3000', '10.0.0.8:3000'] })] },
 * });
 * ```
 */
export class StaticRegistry extends InstanceSource {
  override readonly description = 'the static list';
  readonly #services: ReadonlyMap<string, readonly ServiceInstance[]>;

  /** @throws DiscoveryError `RK_CONFIG_INVALID` with every mistake */
  constructor(services: StaticServices) {
    super();
    const mistakes = findMistakes(schema, services);
    if (mistakes.length > 0) throw configInvalid('StaticRegistry', mistakes);
    this.#services = new Map(
      Object.entries(services).map(([service, list]) => [
        service,
        Object.freeze(list.map((given) => toInstance(service, given))),
      ]),
    );
    const twice = [...this.#services].flatMap(([service, list]) => twiceIn(service, list));
    if (twice.length > 0) throw configInvalid('StaticRegistry', twice);
  }

  override async *watch(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    yield { instances: await this.confirm(service, query), source: 'live' };
    // It never changes.
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  override async confirm(service: string, query: SourceQuery): Promise<readonly ServiceInstance[]> {
    if (query.filter !== undefined || query.preparedQuery) {
      const field = query.preparedQuery ? 'preparedQuery' : 'filter';
      throw new DiscoveryError(
        'RK_INVALID_ARGUMENT',
        `query.${field}: ${this.description} has no such thing`,
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
    // It holds nothing.
  }
}

function toInstance(service: string, given: string | StaticInstance): ServiceInstance {
  const { address, port, ...rest }: StaticInstance = typeof given === 'string' ? parse(given) : given;
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

function twiceIn(service: string, list: readonly ServiceInstance[]): OptionMistake[] {
  const keys = list.map(instanceKey);
  return list.flatMap(({ id }, at) =>
    keys.indexOf(instanceKey(list[at] ?? { id, node: '', datacenter: '' })) === at
      ? []
      : [
          {
            field: `${service}.${at}`,
            value: JSON.stringify(id),
            cure: 'is there twice: each instance needs an id of its own',
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
