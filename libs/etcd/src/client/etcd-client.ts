import {
  type Clock,
  invalidConfigError,
  type Random,
  type RegistryRequest,
  type RegistrySwitch,
  systemClock,
  validateOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import { KvApi } from './api/kv.api.js';
import { LeaseApi } from './api/lease.api.js';
import {
  etcdClientOptionsShape,
  resolveEtcd,
  withoutSecret,
  type EtcdClientOptions,
  type ResolvedEtcd,
} from './etcd-options.js';
import { EtcdMembers, type EtcdRequestOptions } from './etcd-members.js';
import type { EtcdRange } from './key-range.js';
import { WatchStream, type EtcdWatchBatch } from './watch/watch-stream.js';

export interface EtcdStatus {
  /** Of the member that answered. */
  readonly version: string;
  /** Undefined: the cluster has no leader. */
  readonly leader: bigint | undefined;
  readonly revision: bigint;
  /** In bytes. */
  readonly databaseSize: bigint;
  /** Alarms, such as a database that has reached its quota. */
  readonly errors: readonly string[];
}

const optionsSchema = z.strictObject(etcdClientOptionsShape, {
  error: 'must be an object; {} takes every default',
});

export interface EtcdClientTools {
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Version 3 of etcd's API: keys, transactions, leases and watches. Every request has a deadline; when a member fails, the next one is
 * asked, unless the request may have been done already. All watches share one stream, and all keep-alives another.
 *
 * @example
 * ```ts
 * const etcd = EtcdClient.create({ endpoints: ['http://127.0.0.1:2379'] });
 * await etcd.kv.put('greeting', 'hello');
 * const found = await etcd.kv.get('greeting');
 * console.log(found?.value.toString());
 * etcd.close();
 * ```
 */
export class EtcdClient {
  readonly kv: KvApi;
  readonly lease: LeaseApi;
  readonly #members: EtcdMembers;
  readonly #watches: WatchStream;

  constructor(resolved: ResolvedEtcd, { clock = systemClock, random = Math.random }: EtcdClientTools = {}) {
    this.#members = new EtcdMembers(resolved, clock, random);
    this.kv = new KvApi(this.#members);
    this.lease = new LeaseApi(this.#members, clock, resolved.timeoutMs);
    this.#watches = new WatchStream(this.#members, clock);
  }

  /** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment */
  static create(options: EtcdClientOptions = {}, environment: NodeJS.ProcessEnv = process.env): EtcdClient {
    const wrong = validateOptions(optionsSchema, options).map(withoutSecret);
    const { etcd, issues } =
      wrong.length > 0 ? { etcd: undefined, issues: wrong } : resolveEtcd(options, environment);
    if (!etcd) throw invalidConfigError('EtcdClient', issues);
    return new EtcdClient(etcd);
  }

  /** The members' addresses, separated by commas, for messages. */
  get description(): string {
    return this.#members.targets.join(', ');
  }

  /** Of the member that is used now. */
  get host(): string {
    return this.#members.current.host;
  }

  /** How often a member failed. */
  get disconnects(): number {
    return this.#members.disconnects;
  }

  /** Calls back after each request. @returns ends it */
  onRequest(listener: (request: RegistryRequest) => void): () => void {
    return this.#members.requests.add(listener);
  }

  /** Calls back when requests go to another member. @returns ends it */
  onSwitch(listener: (change: RegistrySwitch) => void): () => void {
    return this.#members.switches.add(listener);
  }

  /**
   * Yields the changes of a key, or of those with a prefix, from a revision on. Ends when the signal aborts, by throwing its reason, and on
   * any error: then read again, and watch from the revision of what was read.
   *
   * @throws CompactedError when etcd has not kept that revision
   */
  watch(range: EtcdRange, from: bigint, signal: AbortSignal): AsyncIterable<EtcdWatchBatch> {
    return this.#watches.watch(range, from, signal);
  }

  /** Of the member that is used now. */
  async status(options: EtcdRequestOptions = {}): Promise<EtcdStatus> {
    const { version, leader, header, dbSize, errors } = await this.#members.request(
      'Maintenance/Status',
      {},
      options,
    );
    return {
      version,
      leader: leader === '0' ? undefined : BigInt(leader),
      revision: BigInt(header.revision),
      databaseSize: BigInt(dbSize),
      errors,
    };
  }

  /**
   * A token for a user, as the client gets it by itself with the option `auth`.
   *
   * @throws EtcdError `RK_ACL_DENIED` for a wrong name or password
   */
  async authenticate(name: string, password: string, options: EtcdRequestOptions = {}): Promise<string> {
    return (await this.#members.request('Auth/Authenticate', { name, password }, options)).token;
  }

  /** Ends every watch and every request. */
  close(): void {
    this.#watches.close();
    this.lease.close();
    this.#members.close();
  }
}
