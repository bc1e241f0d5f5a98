import {
  DiscoveryError,
  pause,
  scoped,
  type Clock,
  type ConnectionUse,
  type InstanceList,
  type Random,
  type ServiceInstance,
  type SourceQuery,
} from '@rookery/discovery';
import type { HealthServiceOptions } from '../client/api/health.api.js';
import type { ConsulAnswer } from '../client/consul-response.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulError } from '../client/consul-error.js';
import { InstanceReader } from './instance-reader.js';
import { toServiceInstance } from './to-service-instance.js';
import { WatchPosition } from './watch-position.js';
import { WatchSlots } from './watch-slots.js';

export interface InstanceListsOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/** Short, since an aborted blocking query keeps its connection slot on the agent until its wait ends. */
const WAIT_MS = 60_000;
/** A service without instances wakes its watch with every unrelated change in Consul. */
const ABSENT_MS = 5_000;
/** Without a connection of its own: what a list may be behind, and how many are asked for in a second at most. */
const SHORTEST_POLL_MS = 2_000;
const POLL_SPACING_MS = 20;
const PREPARED_QUERY_MS = 10_000;
const OLDEST_CACHE_S = 10;
/** How long the leader may take before any server is asked as well. */
const HEDGE_MS = 1_000;
const STALE_DEADLINE_MS = 3_000;

/** A server's answer may be had when its leader's is not. */
const WITHOUT_LEADER: ReadonlySet<string> = new Set([
  'RK_REGISTRY_NO_LEADER',
  'RK_REGISTRY_FAILED',
  'RK_REGISTRY_TIMEOUT',
]);

/**
 * Lists of instances, kept current: by a blocking query each, as long as there are connections for that; the others are
 * polled from the agent's own cache, which the servers keep current and which costs them nothing.
 *
 * There are three ways to watch many services over few connections. HTTP/2 needs TLS. Two blocking queries for everything
 * (all names, all checks) are cheaper where nothing changes, and send all checks of the datacenter with each change:
 * 300 services of 10 instances at 10 changes a second cost 6.8 MB/s and 15 % of a core of the agent. Polling those 300
 * costs 0.3 MB/s and 5 to 7 % of a core, whatever changes and however large the datacenter is.
 */
export class InstanceLists {
  readonly #client: ConsulClient;
  readonly #options: InstanceListsOptions;
  readonly #slots: WatchSlots;

  constructor(client: ConsulClient, options: InstanceListsOptions) {
    this.#client = client;
    this.#options = options;
    this.#slots = new WatchSlots(client.watchLimit);
  }

  get connections(): ConnectionUse {
    const { taken: watches, limit, without: polled } = this.#slots;
    return { watches, limit, polled };
  }

  async *watch(service: string, query: SourceQuery, signal: AbortSignal): AsyncGenerator<InstanceList> {
    const { clock } = this.#options;
    const reader = new InstanceReader();
    const position = new WatchPosition(this.#client);
    const slot = this.#slots.claim();
    try {
      for (let isFirst = true; ; isFirst = false) {
        if (!slot.take()) {
          if (isFirst) yield* this.#begin(service, query, reader, position, signal);
          await pause(clock, this.#pollEvery(), signal);
          const polled = await this.#read(service, query, { signal, consistency: 'cached', polled: true });
          yield await this.#listOf(polled, reader, 'polled');
          assertFresh(polled);
          continue;
        }
        const { index } = position;
        if (index === undefined) yield* this.#begin(service, query, reader, position, signal);
        else {
          const asked = clock.now();
          const answer = await this.#read(service, query, { signal, index, wait: WAIT_MS });
          const list = await this.#listOf(answer, reader, 'watched');
          position.heard(answer.index, clock.now() - asked < WAIT_MS);
          yield list;
          if (list.instances.length === 0 && clock.now() - asked < WAIT_MS)
            await pause(clock, ABSENT_MS * (1 + 0.2 * this.#options.random()), signal);
        }
      }
    } finally {
      slot.giveUp();
    }
  }

  /** A prepared query has no watch. */
  async *poll(name: string, query: SourceQuery, signal: AbortSignal): AsyncGenerator<InstanceList> {
    const { clock, random } = this.#options;
    for (;;) {
      yield { instances: await this.#execute(name, query, signal), source: 'live', how: 'polled' };
      await pause(clock, PREPARED_QUERY_MS * (0.9 + 0.2 * random()), signal);
    }
  }

  /** From the leader, after it has made sure that it is. */
  async confirm(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]> {
    if (query.preparedQuery) return this.#execute(service, query, signal);
    const answer = await this.#read(service, query, { signal, consistency: 'consistent' });
    return new InstanceReader().read(answer.body);
  }

  async #execute(
    name: string,
    { near, datacenter, filter }: SourceQuery,
    signal: AbortSignal,
  ): Promise<ServiceInstance[]> {
    if (filter !== undefined) {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', 'query.filter: a prepared query takes none', {
        hint: 'Use tags, meta or version, or filter in the prepared query itself',
      });
    }
    const { body } = await this.#client.query.execute(name, {
      signal,
      ...(near === undefined ? {} : { near }),
      ...(datacenter === undefined ? {} : { datacenter }),
    });
    const nodes: unknown = (body as Partial<typeof body> | null)?.Nodes ?? [];
    return Array.isArray(nodes) ? nodes.map(toServiceInstance) : [];
  }

  /** The first list without an index; while the leader is silent, what any server knows comes before it. */
  async *#begin(
    service: string,
    query: SourceQuery,
    reader: InstanceReader,
    position: WatchPosition,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    const sure = this.#read(service, query, { signal });
    const isWithoutLeader = await scoped(signal, (waiting) =>
      Promise.race([
        sure.then(
          () => false,
          (error: unknown) => error instanceof DiscoveryError && WITHOUT_LEADER.has(error.code),
        ),
        pause(this.#options.clock, HEDGE_MS, waiting).then(() => true),
      ]),
    );
    if (isWithoutLeader) {
      const stale = { signal, consistency: 'stale', timeout: STALE_DEADLINE_MS } as const;
      const answer = await this.#read(service, query, stale).catch(() => undefined);
      // Else `sure` is waited for, and tells what is wrong.
      if (answer) yield { ...(await this.#listOf(answer, reader, 'watched')), source: 'stale' };
    }
    const answer = await sure;
    position.heard(answer.index, false);
    yield await this.#listOf(answer, reader, 'watched');
  }

  #read(
    service: string,
    { filter, datacenter, near }: SourceQuery,
    options: HealthServiceOptions,
  ): Promise<ConsulAnswer<Buffer>> {
    return this.#client.health.serviceBytes(service, {
      ...options,
      ...(filter === undefined ? {} : { filter }),
      ...(datacenter === undefined ? {} : { datacenter }),
      ...(near === undefined ? {} : { near }),
    });
  }

  async #listOf(
    { body, index, knownLeader, cache, filteredByAcls }: ConsulAnswer<Buffer>,
    reader: InstanceReader,
    how: 'watched' | 'polled',
  ): Promise<InstanceList> {
    const instances = await reader.read(body);
    if (filteredByAcls && instances.length === 0) {
      throw new ConsulError(
        'RK_ACL_DENIED',
        'Consul left out every instance, since the token may not see them',
        {
          retryable: false,
          hint: 'Discovery needs service:read on the service and node:read on its nodes',
        },
      );
    }
    // Newer agents leave the header out where they answer from a stream.
    const source = cache
      ? cache.ageSeconds > 0
        ? 'stale'
        : 'cached'
      : knownLeader === false
        ? 'stale'
        : 'live';
    return { instances, source, index, how };
  }

  #pollEvery(): number {
    const { random } = this.#options;
    const spread = Math.max(SHORTEST_POLL_MS, this.#slots.without * POLL_SPACING_MS);
    return spread * (0.9 + 0.2 * random());
  }
}

/** The agent serves its cache for days, whatever became of its servers. */
function assertFresh({ cache }: ConsulAnswer<unknown>): void {
  if (!cache || cache.ageSeconds < OLDEST_CACHE_S) return;
  throw new ConsulError(
    'RK_REGISTRY_NO_LEADER',
    `the agent has not heard from its servers for ${cache.ageSeconds} s`,
    {
      retryable: true,
    },
  );
}
