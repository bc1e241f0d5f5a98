import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import {
  errorMessage,
  IsolatedObservable,
  keyOf,
  NamesItsModule,
  SharedWatches,
  systemClock,
} from '@rookery/discovery/adapter';
import { distinctUntilChanged, filter, map, type Observable } from 'rxjs';
import { kvPath } from '../client/api/kv-key.js';
import type { KvEntry } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulError } from '../client/consul-error.js';
import type { ConsulReadOptions, ConsulRequestOptions } from '../client/request-options.js';
import { assertIndex, assertKey, assertTransaction } from './assert-arguments.js';
import { textCodec, type KvCodec } from './kv-codec.js';
import { toTxnOperation, type KvOperation } from './kv-operation.js';
import { KvTransactionError } from './kv-transaction-error.js';
import { decoded, encoded, isSameEntry, resultOf, type KvValue } from './kv-value.js';
import { watchKey } from './watch-key.js';
import { watchTree } from './watch-tree.js';

interface WithCodec<T> {
  /** Default: text in UTF-8. */
  codec?: KvCodec<T>;
}

export type KvReadOptions<T> = Omit<ConsulReadOptions, 'index' | 'wait'> & WithCodec<T>;

export type KvWriteOptions<T> = ConsulRequestOptions &
  WithCodec<T> & {
    /** A number of the application, kept with the value. Default: 0. */
    flags?: number | bigint;
  };

export interface KvWatchOptions<T> extends WithCodec<T> {
  /** Default: that of the agent. */
  datacenter?: string;
}

const MAX_UPDATE_ATTEMPTS = 10;

/**
 * Consul's key-value store. What Consul would reject, or would write elsewhere (a key with `//` or `..`), is refused before it is sent.
 * Injectable where `ConsulModule` is imported.
 *
 * @example
 * ```ts
 * await kv.put('shop/limits', { rate: 100 }, { codec: jsonCodec<Limits>() });
 * kv.watch('shop/limits', { codec: jsonCodec<Limits>() }).subscribe((limits) => show(limits?.value));
 * ```
 */
@Injectable()
@NamesItsModule()
export class ConsulKv implements BeforeApplicationShutdown {
  readonly #client: ConsulClient;
  readonly #watches: SharedWatches;
  readonly #logger = new Logger('ConsulKv');

  constructor(client: ConsulClient) {
    this.#client = client;
    const limit = client.blockingQueryLimit;
    this.#watches = new SharedWatches({ clock: systemClock, random: Math.random, logger: 'ConsulKv', limit });
  }

  /** @returns undefined when there is no such key */
  async get<T = string>(key: string, options: KvReadOptions<T> = {}): Promise<KvValue<T> | undefined> {
    const { body } = await this.#client.kv.get(assertKey(key), options);
    return body && decoded(body, codecOf(options));
  }

  /** Every key that begins with the prefix. It is a plain text: end it with `/`, or `app` also matches `app2`. */
  async list<T = string>(prefix: string, options: KvReadOptions<T> = {}): Promise<KvValue<T>[]> {
    const { body } = await this.#client.kv.list(prefix, options);
    return body.map((entry) => decoded(entry, codecOf(options)));
  }

  /** Names only. With `separator: '/'` all keys below a folder are listed as the folder. */
  async keys(prefix: string, options: KvReadOptions<never> & { separator?: string } = {}): Promise<string[]> {
    return (await this.#client.kv.keys(prefix, options)).body;
  }

  /** @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key that Consul would change, or a value above 512 KiB */
  async put<T = string>(key: string, value: T, options: KvWriteOptions<T> = {}): Promise<void> {
    await this.#client.kv.put(assertKey(key), encoded(key, value, codecOf(options)), options);
  }

  /**
   * Sets the key if its `modifyIndex` is still the given one; 0: if there is no such key.
   *
   * @returns false when it has changed, and nothing was written
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for what is no index
   */
  async compareAndSet<T = string>(
    key: string,
    value: T,
    modifyIndex: number,
    options: KvWriteOptions<T> = {},
  ): Promise<boolean> {
    const bytes = encoded(key, value, codecOf(options));
    return this.#client.kv.put(assertKey(key), bytes, { ...options, cas: assertIndex(modifyIndex) });
  }

  /**
   * Reads the value, and writes what `change` makes of it; again, when another writer was faster. `change` may return undefined to
   * leave it as it is.
   *
   * @returns the value that is there now
   * @throws DiscoveryError `RK_TRANSACTION_CONFLICT` when others were faster ten times
   */
  async update<T = string>(
    key: string,
    change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
    options: KvWriteOptions<T> = {},
  ): Promise<T | undefined> {
    for (let attempt = 0; attempt < MAX_UPDATE_ATTEMPTS; attempt++) {
      const current = await this.get(key, options);
      const next = await change(current?.value);
      if (next === undefined) return current?.value;
      if (await this.compareAndSet(key, next, current?.modifyIndex ?? 0, options)) return next;
    }
    throw new ConsulError(
      'RK_TRANSACTION_CONFLICT',
      `update of ${key}: another writer was faster ${MAX_UPDATE_ATTEMPTS} times`,
      { hint: 'Many writers of one key need a lock, or a key for each' },
    );
  }

  /**
   * A missing key is not an error.
   *
   * @returns false when `modifyIndex` is given, and the key has changed since
   */
  async delete(key: string, options: ConsulRequestOptions & { modifyIndex?: number } = {}): Promise<boolean> {
    const { modifyIndex, ...rest } = options;
    return this.#client.kv.delete(
      assertKey(key),
      modifyIndex === undefined ? rest : { ...rest, cas: modifyIndex },
    );
  }

  /**
   * Deletes every key that begins with the prefix.
   *
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for an empty prefix, which is the whole store
   */
  async deleteTree(prefix: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#client.kv.deleteTree(assertKey(prefix), options);
  }

  /**
   * Up to 64 operations, all or none.
   *
   * @example
   * ```ts
   * await kv.transaction([
   *   { type: 'compareAndSet', key: 'shop/stock', value: '41', modifyIndex: stock.modifyIndex },
   *   { type: 'set', key: 'shop/last-order', value: order.id },
   * ]);
   * ```
   * @returns the values of the operations that return one, as texts
   * @throws KvTransactionError with the operations that failed, and why
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for more than 64 operations, or 512 KiB
   */
  async transaction(
    operations: readonly KvOperation[],
    options?: ConsulRequestOptions,
  ): Promise<KvValue<string>[]> {
    assertTransaction(operations);
    const outcome = await this.#client.txn.commit(operations.map(toTxnOperation), options);
    if (!outcome.committed) throw new KvTransactionError(operations, outcome.errors);
    const values = outcome.results.map(resultOf);
    // In a transaction that only reads, Consul leaves out what the token may not read.
    const unread = operations.filter(({ type }) => type === 'get').find((read) => !has(values, keyOf(read)));
    if (unread === undefined) return values;
    throw new ConsulError('RK_ACL_DENIED', `transaction: the token may not read ${keyOf(unread)}`, {
      hint: 'It needs key:read on every key of it',
    });
  }

  /**
   * The value now, and each later one; undefined while there is no such key. It goes on after errors, which are logged, and completes
   * when the app is closed. A value that the codec refuses is logged, and left out.
   */
  watch<T = string>(key: string, options: KvWatchOptions<T> = {}): Observable<KvValue<T> | undefined> {
    const { datacenter } = options;
    const name = `${assertKey(key)}${datacenter === undefined ? '' : ` in ${datacenter}`}`;
    const entries = this.#watches.watch<KvEntry | undefined>(
      JSON.stringify(['key', key, datacenter]),
      name,
      (signal, waitMs) => watchKey(this.#client, key, signal, { datacenter, waitMs }),
    );
    return this.#isolated(
      entries.pipe(
        distinctUntilChanged(isSameEntry),
        map((entry) => ({ value: entry && this.#decodedOrLogged(entry, codecOf(options)), entry })),
        filter(({ value, entry }) => value !== undefined || entry === undefined),
        map(({ value }) => value),
      ),
      name,
    );
  }

  /** All keys that begin with the prefix, now and after each change; as `watch`. */
  watchTree<T = string>(prefix: string, options: KvWatchOptions<T> = {}): Observable<readonly KvValue<T>[]> {
    const { datacenter } = options;
    const name = `${prefix}*${datacenter === undefined ? '' : ` in ${datacenter}`}`;
    kvPath(prefix);
    const trees = this.#watches.watch<readonly KvEntry[]>(
      JSON.stringify(['tree', prefix, datacenter]),
      name,
      (signal, waitMs) => treesOf(this.#client, prefix, signal, { datacenter, waitMs }),
    );
    return this.#isolated(
      trees.pipe(
        distinctUntilChanged(
          (before, after) =>
            before.length === after.length &&
            before.every((entry, index) => isSameEntry(entry, after[index])),
        ),
        map((entries) => entries.flatMap((entry) => this.#decodedOrLogged(entry, codecOf(options)) ?? [])),
      ),
      name,
    );
  }

  /** Before the client is closed, which a watch would take for an outage. */
  beforeApplicationShutdown(): void {
    this.#watches.close();
  }

  #decodedOrLogged<T>(entry: KvEntry, codec: KvCodec<T>): KvValue<T> | undefined {
    try {
      return decoded(entry, codec);
    } catch (error) {
      this.#logger.error(errorMessage(error));
      return undefined;
    }
  }

  #isolated<T>(values: Observable<T>, name: string): Observable<T> {
    return new IsolatedObservable(values, (error) =>
      this.#logger.error(`a subscriber of ${name} threw: ${errorMessage(error)}`),
    );
  }
}

async function* treesOf(
  ...[client, prefix, signal, options]: Parameters<typeof watchTree>
): AsyncGenerator<readonly KvEntry[]> {
  for await (const { entries } of watchTree(client, prefix, signal, options)) yield entries;
}

function codecOf<T>({ codec }: WithCodec<T>): KvCodec<T> {
  // Without a codec T is string, by its default.
  return codec ?? (textCodec as unknown as KvCodec<T>);
}

function has(values: readonly KvValue<string>[], key: string): boolean {
  return values.some((value) => value.key === key);
}
