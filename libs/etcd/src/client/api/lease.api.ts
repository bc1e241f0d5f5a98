import type { Clock } from '@rookery/discovery/adapter';
import { EtcdError } from '../etcd-error.js';
import type { EtcdMembers, EtcdRequestOptions } from '../etcd-members.js';
import { KeepAliveStream } from '../lease/keep-alive-stream.js';

export interface EtcdLease {
  readonly id: bigint;
  /** Seconds that are left. */
  readonly ttl: number;
  /** Seconds that it was granted for. */
  readonly grantedTtl: number;
  /** That it removes when it ends. */
  readonly keys: readonly string[];
}

/** Leases: what is put with one is removed when it is not renewed in time. */
export class LeaseApi {
  readonly #members: EtcdMembers;
  readonly #keepAlives: KeepAliveStream;

  constructor(members: EtcdMembers, clock: Clock, timeoutMs: number) {
    this.#members = members;
    this.#keepAlives = new KeepAliveStream(members, clock, timeoutMs);
  }

  /** @param ttl in seconds; etcd makes it at least about one and a half of its election timeouts */
  async grant(ttl: number, options: EtcdRequestOptions = {}): Promise<{ id: bigint; ttl: number }> {
    const { ID, TTL, error } = await this.#members.request('Lease/LeaseGrant', { TTL: String(ttl) }, options);
    if (error) throw new EtcdError('RK_REGISTRY_ERROR', `Lease/LeaseGrant: ${error}`);
    return { id: BigInt(ID), ttl: Number(TTL) };
  }

  /** Removes what was put with it, at once. @throws EtcdError `RK_NOT_FOUND` when there is no such lease */
  async revoke(id: bigint, options: EtcdRequestOptions = {}): Promise<void> {
    await this.#members.request('Lease/LeaseRevoke', { ID: String(id) }, options);
  }

  /**
   * Renews it once.
   *
   * @returns the seconds that it has now; undefined: there is no such lease
   */
  keepAlive(
    id: bigint,
    { timeoutMs }: Pick<EtcdRequestOptions, 'timeoutMs'> = {},
  ): Promise<number | undefined> {
    return this.#keepAlives.send(id, timeoutMs);
  }

  /** @returns undefined: there is no such lease */
  async timeToLive(id: bigint, options: EtcdRequestOptions = {}): Promise<EtcdLease | undefined> {
    const request = { ID: String(id), keys: true };
    const { TTL, grantedTTL, keys } = await this.#members.request('Lease/LeaseTimeToLive', request, options);
    const ttl = Number(TTL);
    if (ttl < 0) return undefined;
    return { id, ttl, grantedTtl: Number(grantedTTL), keys: keys.map((key) => key.toString('utf8')) };
  }

  /** Ends the stream of keep-alives. */
  close(): void {
    this.#keepAlives.close();
  }
}
