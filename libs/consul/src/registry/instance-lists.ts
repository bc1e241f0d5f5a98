import { DiscoveryError, type ServiceInstance } from '@rookery/discovery';
import {
  type Clock,
  type ConnectionUsage,
  delay,
  type InstanceList,
  type Random,
  type SourceQuery,
  withScopedSignal,
} from '@rookery/discovery/adapter';
import type { HealthServiceOptions } from '../client/api/health.api.js';
import type { ConsulResponse } from '../client/consul-response.js';
import type { ConsulClient } from '../client/consul-client.js';
import { AgentSwitchedError } from '../client/agent-switched-error.js';
import { ConsulError } from '../client/consul-error.js';
import { discoveryRights } from '../acl/acl-right.js';
import { assertReadable, deniedListError, EmptyListCheck } from './empty-list.js';
import { InstanceReader } from './instance-reader.js';
import { isValidEntry } from './invalid-entry.js';
import { spreadAfterRead } from './held-read.js';
import { toServiceInstance } from './to-service-instance.js';
import { WatchPosition } from '../client/watch-position.js';
import { WatchSlots } from './watch-slots.js';

export interface InstanceListsOptions {
  readonly clock: Clock;
  readonly random: Random;
}

interface FirstRead {
  readonly service: string;
  readonly query: SourceQuery;
  readonly reader: InstanceReader;
  readonly position: WatchPosition;
  /** How it is kept up to date after this. */
  readonly mode: 'watched' | 'polled';
  readonly signal: AbortSignal;
}

/** Short, since an aborted blocking query keeps its connection slot on the agent until its wait ends. */
const WAIT_MS = 60_000;
/**
 * The watch of a service without instances returns at every unrelated change in Consul (hashicorp/consul#4810), so that its
 * requests are limited: to one in five seconds for a service that does not exist; for one whose last instance left, by a pause in
 * proportion to the time since then, so that an instance that restarts is seen soon.
 */
const MIN_EMPTY_PAUSE_MS = 250;
const ABSENT_PAUSE_MS = 5_000;
const EMPTY_PAUSE_SHARE = 1 / 15;
/** For a list without a connection of its own: how far it may lag behind, and the spacing of all polls. */
const MIN_POLL_INTERVAL_MS = 2_000;
const POLL_SPACING_MS = 20;
const PREPARED_QUERY_INTERVAL_MS = 10_000;
const MAX_CACHE_AGE_S = 10;
/** All watches leave an agent together: they must not reach the next one together. */
const SWITCH_SPREAD_MS = 1_000;
/** Without a response of the leader after this time, any server is queried as well. */
const STALE_AFTER_MS = 1_000;
const STALE_TIMEOUT_MS = 3_000;

/** Errors of the leader only: any server may have a stale list. */
const WITHOUT_LEADER: ReadonlySet<string> = new Set([
  'RK_REGISTRY_NO_LEADER',
  'RK_REGISTRY_ERROR',
  'RK_REGISTRY_TIMEOUT',
]);

/**
 * Keeps lists of instances up to date: each with a blocking query, as long as there are connections; further ones are polled
 * from the agent's cache, which the servers keep current at no cost.
 *
 * There are other ways to watch many services over few connections. HTTP/2 needs TLS. Two blocking queries for everything
 * (all names, all checks) are cheaper while nothing changes, but transfer all checks of the datacenter with each change: 300
 * services of 10 instances at 10 changes a second cost 6.8 MB/s and 15 % of a core of the agent. Polling those 300 costs
 * 0.3 MB/s and 5 to 7 % of a core, whatever changes and however large the datacenter is.
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

  get connections(): ConnectionUsage {
    const { taken: watches, limit, waiting: polled } = this.#slots;
    return { watches, limit, polled };
  }

  /** Goes on at the next agent, where there are several, when the one in use is left. */
  async *watch(service: string, query: SourceQuery, signal: AbortSignal): AsyncGenerator<InstanceList> {
    const { clock, random } = this.#options;
    for (let switches = 0; ;) {
      const emptyLists = new EmptyListCheck(this.#client, service, query.datacenter);
      try {
        for await (const list of this.#watchAgent(service, query, signal)) {
          await emptyLists.verify(list, signal);
          switches = 0;
          yield list;
        }
      } catch (error) {
        if (!(error instanceof AgentSwitchedError) || switches++ > 0) throw error;
      }
      await delay(clock, SWITCH_SPREAD_MS * random(), signal);
    }
  }

  async *#watchAgent(service: string, query: SourceQuery, signal: AbortSignal): AsyncGenerator<InstanceList> {
    const { clock } = this.#options;
    const waitMs = this.#client.waitWithin(WAIT_MS);
    const reader = new InstanceReader();
    const position = new WatchPosition(this.#client);
    const slot = this.#slots.claim();
    /** When its last instance left; -Infinity: it has had none since the watch began; Infinity: it has some. */
    let emptySince = -Infinity;
    const noted = (list: InstanceList): InstanceList => {
      if (list.instances.length > 0) emptySince = Infinity;
      else if (emptySince === Infinity) emptySince = clock.now();
      return list;
    };
    try {
      for (let hasList = false; ; hasList = true) {
        const hasSlot = slot.take();
        const { index } = position;
        if (!hasList || (hasSlot && index === undefined)) {
          const mode = hasSlot ? 'watched' : 'polled';
          for await (const list of this.#readFirst({ service, query, reader, position, mode, signal }))
            yield noted(list);
        } else if (hasSlot) {
          const sentAt = clock.now();
          const response = await this.#read(service, query, { signal, index, wait: waitMs });
          const list = await this.#listOf(service, response, reader, 'watched');
          position.advance(response.index, clock.now() - sentAt < waitMs);
          yield noted(list);
          if (list.instances.length === 0 && clock.now() - sentAt < waitMs)
            await delay(clock, this.#emptyPause(clock.now() - emptySince), signal);
        } else {
          const emptyPauseMs = emptySince === Infinity ? 0 : this.#emptyPause(clock.now() - emptySince);
          await delay(clock, Math.max(this.#pollInterval(), emptyPauseMs), signal);
          const polled = await this.#read(service, query, { signal, consistency: 'cached', polled: true });
          yield noted(await this.#listOf(service, polled, reader, 'polled'));
          assertFresh(polled);
        }
      }
    } finally {
      slot.release();
    }
  }

  #emptyPause(emptyForMs: number): number {
    const pauseMs = Math.min(ABSENT_PAUSE_MS, emptyForMs * EMPTY_PAUSE_SHARE);
    return Math.max(MIN_EMPTY_PAUSE_MS, pauseMs) * (1 + 0.2 * this.#options.random());
  }

  /** A prepared query has no watch. */
  async *poll(name: string, query: SourceQuery, signal: AbortSignal): AsyncGenerator<InstanceList> {
    const { clock, random } = this.#options;
    for (;;) {
      yield { instances: await this.#execute(name, query, signal), source: 'live', mode: 'polled' };
      await delay(clock, PREPARED_QUERY_INTERVAL_MS * (0.9 + 0.2 * random()), signal);
    }
  }

  /** From the leader, which verifies its leadership with a quorum. */
  async readConsistent(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): Promise<readonly ServiceInstance[]> {
    if (query.preparedQuery) return this.#execute(service, query, signal);
    const { body } = await this.#read(service, query, { signal, consistency: 'consistent' });
    const instances = await new InstanceReader().read(body);
    if (instances.length === 0)
      await assertReadable(this.#client, service, { signal, datacenter: query.datacenter });
    return instances;
  }

  async #execute(
    name: string,
    { near, datacenter, filter }: SourceQuery,
    signal: AbortSignal,
  ): Promise<ServiceInstance[]> {
    if (filter !== undefined) {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', 'query.filter: not supported by a prepared query', {
        hint: 'Use tags, meta or version, or filter in the prepared query itself',
      });
    }
    const { body } = await this.#client.query.execute(name, {
      signal,
      ...(near === undefined ? {} : { near }),
      ...(datacenter === undefined ? {} : { datacenter }),
    });
    // The response may be anything: only the type says that it is Consul's.
    const { Nodes: nodes, Service: service } = (body as { Nodes?: unknown; Service?: unknown } | null) ?? {};
    if (!Array.isArray(nodes)) return [];
    if (nodes.length === 0 && typeof service === 'string')
      await assertReadable(this.#client, service, { signal, datacenter });
    return nodes.filter(isValidEntry).map(toServiceInstance);
  }

  /** The first list, without an index; while the leader does not respond, a stale list from any server comes before it. */
  async *#readFirst(of: FirstRead): AsyncGenerator<InstanceList> {
    const { service, query, reader, position, mode, signal } = of;
    const { clock, random } = this.#options;
    const sentAt = clock.now();
    const fromLeader = this.#read(service, query, { signal });
    const isWithoutLeader = await withScopedSignal(signal, (waiting) =>
      Promise.race([
        fromLeader.then(
          () => false,
          (error: unknown) => error instanceof DiscoveryError && WITHOUT_LEADER.has(error.code),
        ),
        delay(clock, STALE_AFTER_MS, waiting).then(() => true),
      ]),
    );
    if (isWithoutLeader) {
      const options = { signal, consistency: 'stale', timeout: STALE_TIMEOUT_MS } as const;
      const stale = await this.#read(service, query, options).catch(() => undefined);
      // Without one, the error of `fromLeader` says what is wrong.
      if (stale) yield { ...(await this.#listOf(service, stale, reader, mode)), source: 'stale' };
    }
    const response = await fromLeader;
    const tookMs = clock.now() - sentAt;
    position.advance(response.index, false);
    yield await this.#listOf(service, response, reader, mode);
    const spreadMs = spreadAfterRead(tookMs, random);
    if (spreadMs > 0) await delay(clock, spreadMs, signal);
  }

  #read(
    service: string,
    { filter, datacenter, near }: SourceQuery,
    options: HealthServiceOptions,
  ): Promise<ConsulResponse<Buffer>> {
    return this.#client.health.serviceBytes(service, {
      ...options,
      ...(filter === undefined ? {} : { filter }),
      ...(datacenter === undefined ? {} : { datacenter }),
      ...(near === undefined ? {} : { near }),
    });
  }

  async #listOf(
    service: string,
    { body, index, knownLeader, cache, filteredByAcls }: ConsulResponse<Buffer>,
    reader: InstanceReader,
    mode: 'watched' | 'polled',
  ): Promise<InstanceList> {
    const instances = await reader.read(body);
    if (filteredByAcls && instances.length === 0) throw deniedListError(service, discoveryRights(service));
    // Newer agents leave the header out when they respond from a stream.
    const source = cache
      ? cache.ageSeconds > 0
        ? 'stale'
        : 'cached'
      : knownLeader === false
        ? 'stale'
        : 'live';
    return { instances, source, index, mode, invalid: reader.invalid };
  }

  #pollInterval(): number {
    const { random } = this.#options;
    const interval = Math.max(MIN_POLL_INTERVAL_MS, this.#slots.waiting * POLL_SPACING_MS);
    return interval * (0.9 + 0.2 * random());
  }
}

/** An agent without servers would serve its cache for days. */
function assertFresh({ cache }: ConsulResponse<unknown>): void {
  if (!cache || cache.ageSeconds < MAX_CACHE_AGE_S) return;
  throw new ConsulError(
    'RK_REGISTRY_NO_LEADER',
    `the agent has not heard from its servers for ${cache.ageSeconds} s`,
  );
}
