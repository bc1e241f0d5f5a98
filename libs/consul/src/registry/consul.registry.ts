import { matchesLabels, ServiceRegistry, systemClock } from '@rookery/discovery';
import type { Clock, ServiceInstance, ServiceQuery, ServiceRegistration } from '@rookery/discovery';
import { nextIndex } from '../client/consul-answer.js';
import type { ConsulClient } from '../client/consul-client.js';
import { toServiceDefinition } from './service-definition.js';
import { toServiceInstance } from './to-service-instance.js';

/** Short, since an aborted blocking query keeps its connection slot on the agent until its wait ends. */
const WAIT_MS = 60_000;
const OWN_WAIT = '30s';

/** The port on Consul: services of the local agent, and the catalog of all agents. */
export class ConsulRegistry extends ServiceRegistry {
  override readonly knowsNodeAddress = true;
  readonly #client: ConsulClient;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(client: ConsulClient, clock: Pick<Clock, 'now'> = systemClock) {
    super();
    this.#client = client;
    this.#clock = clock;
  }

  override get description(): string {
    return `Consul at ${this.#client.url}`;
  }

  override get host(): string | undefined {
    return this.#client.host;
  }

  override async register(registration: ServiceRegistration, signal: AbortSignal): Promise<void> {
    await this.#client.agent.register(toServiceDefinition(registration), {
      signal,
      replaceExistingChecks: true,
    });
  }

  override async deregister(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.agent.deregister(id, { signal });
  }

  /** By the agent's own record of it: it answers as long as the agent lives, with or without servers. */
  override async *watchRegistration(id: string, signal: AbortSignal): AsyncGenerator<boolean> {
    for (let hash: string | undefined; ;) {
      const answer = await this.#client.agent.service(id, {
        signal,
        wait: OWN_WAIT,
        ...(hash ? { hash } : {}),
      });
      yield answer !== undefined;
      hash = answer?.contentHash;
    }
  }

  override async *watch(
    service: string,
    query: ServiceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ServiceInstance[]> {
    for (let index: string | undefined, lost = this.#client.lostConnections; ;) {
      if (this.#client.lostConnections !== lost) index = undefined;
      lost = this.#client.lostConnections;
      const asked = this.#clock.now();
      const answer = await this.#client.health.service(service, {
        signal,
        wait: WAIT_MS,
        ...(index === undefined ? {} : { index }),
        ...(query.tags ? { tags: query.tags } : {}),
        ...(query.filter === undefined ? {} : { filter: query.filter }),
        ...(query.datacenter === undefined ? {} : { datacenter: query.datacenter }),
        ...(query.near === undefined ? {} : { near: query.near }),
      });
      yield answer.body.map(toServiceInstance).filter((instance) => matchesLabels(instance, query));
      // Woken before its time with nothing new: the servers are going down, and may come back with a lower index, on
      // which ours would sleep for the whole wait.
      const early = index !== undefined && answer.index === index && this.#clock.now() - asked < WAIT_MS;
      index = early ? undefined : nextIndex(index, answer.index);
    }
  }

  override async services(signal: AbortSignal): Promise<Record<string, string[]>> {
    return (await this.#client.catalog.services({ signal })).body;
  }

  override async close(): Promise<void> {
    await this.#client.close();
  }
}
