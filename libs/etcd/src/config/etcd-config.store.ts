import type { ConfigStore, KeyTree, StoredKey } from '@rookery/discovery/adapter';
import { EtcdClient } from '../client/etcd-client.js';
import type { ResolvedEtcd } from '../client/etcd-options.js';
import { watchTree } from '../client/watch/watch-tree.js';

/** Etcd's keys, for one configuration. */
export class EtcdConfigStore implements ConfigStore {
  readonly isPushed = true;
  readonly scope: readonly string[];
  readonly #client: EtcdClient;

  constructor(etcd: ResolvedEtcd) {
    this.#client = new EtcdClient(etcd);
    this.scope = ['etcd', ...etcd.endpoints.map(({ target }) => target).sort()];
  }

  async list(prefix: string, signal: AbortSignal): Promise<readonly StoredKey[]> {
    return (await this.#client.kv.range({ prefix }, { signal })).values;
  }

  get(key: string, signal: AbortSignal): Promise<StoredKey | undefined> {
    return this.#client.kv.get(key, { signal });
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncGenerator<KeyTree> {
    for await (const { values, isContinuous } of watchTree(this.#client, prefix, signal))
      yield { entries: values, isContinuous };
  }

  readRule(prefix: string): string {
    return `the permission to read the prefix: etcdctl role grant-permission ROLE --prefix=true read ${JSON.stringify(prefix)}`;
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}
