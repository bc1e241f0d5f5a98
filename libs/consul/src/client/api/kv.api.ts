import { DiscoveryError } from '@rookery/discovery';
import { toConsulResponse, type ConsulResponse } from '../consul-response.js';
import { badResponse, parseJson, type ConsulRequester } from '../consul-requester.js';
import type { ConsulReadOptions, ConsulRequestOptions } from '../request-options.js';
import { kvPath } from './kv-key.js';
import type { KvEntry } from './types.js';

export interface KvPutOptions extends ConsulRequestOptions {
  /** Write only if the key's `modifyIndex` is still this one; 0: only if the key does not exist. */
  cas?: number;
  /** Above 2^53 as a bigint. */
  flags?: number | bigint;
  /** Acquire the key as a lock for this session. */
  acquire?: string;
  /** Release the lock of this session. */
  release?: string;
}

interface RawEntry {
  Key: string;
  Value: string | null;
  Flags: number;
  CreateIndex: number;
  ModifyIndex: number;
  LockIndex: number;
  Session?: string;
}

/** Consul's default for `kv_max_value_size`. */
export const MAX_VALUE_BYTES = 524_288;

/** `/v1/kv`: the key-value store. */
export class KvApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** `body` is undefined when the key does not exist; the index is present in any case, to block on. */
  async get(key: string, options?: ConsulReadOptions): Promise<ConsulResponse<KvEntry | undefined>> {
    const { body, ...rest } = await this.#entries(key, options, {});
    return { ...rest, body: body[0] };
  }

  /** Every key that begins with the prefix. It is a plain string: end it with `/`, or `app` also matches `app2`. */
  async list(prefix: string, options?: ConsulReadOptions): Promise<ConsulResponse<KvEntry[]>> {
    return this.#entries(prefix, options, { recurse: '' });
  }

  /** Names only. With `separator: '/'` all keys below a folder are listed as the folder. */
  async keys(
    prefix: string,
    options: ConsulReadOptions & { separator?: string } = {},
  ): Promise<ConsulResponse<string[]>> {
    const parts = { query: { keys: '', separator: options.separator }, accept: [404] };
    const answer = await this.#requester.raw('GET', kvPath(prefix), options, parts);
    const names =
      answer.status === 404 ? [] : (parseJson(answer, `GET keys of ${prefix}`, 'array') as string[]);
    return toConsulResponse(names, answer.headers);
  }

  /**
   * @returns false when the condition of `cas`, `acquire` or `release` did not hold, so that nothing was written
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key that Consul would normalize, or a value above 512 KiB
   */
  async put(key: string, value: string | Uint8Array, options: KvPutOptions = {}): Promise<boolean> {
    if (Buffer.byteLength(value) > MAX_VALUE_BYTES) {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `value of ${key}: ${Buffer.byteLength(value)} bytes`, {
        hint: `Consul takes at most ${MAX_VALUE_BYTES}`,
      });
    }
    const { cas, flags, acquire, release } = options;
    const { body } = await this.#requester.json<unknown>('PUT', kvPath(key), options, {
      bytes: value,
      query: { cas, flags, acquire, release },
    });
    return asWritten(body, `PUT key ${key}`);
  }

  /** @returns false when the condition of `cas` did not hold; a missing key is not an error */
  async delete(key: string, options: ConsulRequestOptions & { cas?: number } = {}): Promise<boolean> {
    const query = { cas: options.cas };
    const { body } = await this.#requester.json<unknown>('DELETE', kvPath(key), options, { query });
    return asWritten(body, `DELETE key ${key}`);
  }

  /** Deletes every key that begins with the prefix. */
  async deleteTree(prefix: string, options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('DELETE', kvPath(prefix), options, { query: { recurse: '' } });
  }

  async #entries(
    key: string,
    options: ConsulReadOptions | undefined,
    query: Record<string, string>,
  ): Promise<ConsulResponse<KvEntry[]>> {
    const answer = await this.#requester.raw('GET', kvPath(key), options, { query, accept: [404] });
    const raw = answer.status === 404 ? [] : (parseJson(answer, `GET key ${key}`, 'array') as RawEntry[]);
    return toConsulResponse(
      raw.map((entry) => decode(entry, key)),
      answer.headers,
    );
  }
}

/** A gateway in front of Consul, say, answers 200 with a text of its own: then nothing was written. */
function asWritten(body: unknown, request: string): boolean {
  if (typeof body === 'boolean') return body;
  throw badResponse(request, 200, 'the body is neither true nor false');
}

function decode(raw: RawEntry | null, asked: string): KvEntry {
  const isEntry =
    typeof raw?.Key === 'string' && ['string', 'object', 'undefined'].includes(typeof raw.Value);
  if (!isEntry) throw badResponse(`GET key ${asked}`, 200, 'an entry has no key, or a value that is no text');
  return {
    key: raw.Key,
    value: Buffer.from(raw.Value ?? '', 'base64'),
    flags: raw.Flags,
    createIndex: raw.CreateIndex,
    modifyIndex: raw.ModifyIndex,
    lockIndex: raw.LockIndex,
    session: raw.Session,
  };
}
