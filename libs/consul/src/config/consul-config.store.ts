import type { Clock, ConfigStore, KeyTree, StoredKey } from '@rookery/discovery/adapter';
import type { ResolvedAgent } from '../client/agent-options.js';
import { ONE_CONNECTION } from '../client/connection-budget.js';
import { ConsulClient } from '../client/consul-client.js';
import { watchTree } from '../kv/watch-tree.js';

/** Consul's key-value store, for one configuration. */
export class ConsulConfigStore implements ConfigStore {
  readonly isPushed = false;
  readonly #client: ConsulClient;
  readonly #datacenter: { readonly datacenter?: string };

  readonly #clock: Clock;

  /** @param tools `trees`: how many are watched */
  constructor(
    agent: ResolvedAgent,
    datacenter: string | undefined,
    { trees, clock }: { readonly trees: number; readonly clock: Clock },
  ) {
    this.#clock = clock;
    // One blocking query for each tree, apart from every other client of this process.
    this.#client = new ConsulClient(agent, { ...ONE_CONNECTION, watch: trees, plain: 2 });
    this.#datacenter = datacenter === undefined ? {} : { datacenter };
  }

  get scope(): readonly (string | null)[] {
    return [...this.#client.scope, this.#datacenter.datacenter ?? null];
  }

  async list(prefix: string, signal: AbortSignal, isConsistent: boolean): Promise<readonly StoredKey[]> {
    const consistency = isConsistent ? ({ consistency: 'consistent' } as const) : {};
    return (await this.#client.kv.list(prefix, { signal, ...consistency, ...this.#datacenter })).body;
  }

  async get(key: string, signal: AbortSignal): Promise<StoredKey | undefined> {
    const options = { signal, consistency: 'consistent', ...this.#datacenter } as const;
    return (await this.#client.kv.get(key, options)).body;
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<KeyTree> {
    return watchTree(this.#client, prefix, signal, { ...this.#datacenter, clock: this.#clock });
  }

  readRule(prefix: string): string {
    return `key_prefix ${JSON.stringify(prefix)} { policy = "read" }`;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
