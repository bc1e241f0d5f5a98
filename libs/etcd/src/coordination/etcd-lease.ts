import { Lease, withAbort, type LeaseCalls, type LeaseOptions } from '@rookery/discovery/adapter';
import type { LeaseApi } from '../client/api/lease.api.js';
import { EtcdError } from '../client/etcd-error.js';

/** As in the keys of etcd's own client; `etcdctl lease list` pads it with zeros. */
export function leaseName(id: bigint): string {
  return id.toString(16);
}

export function leaseId(name: string): bigint {
  return BigInt(`0x${name}`);
}

/** @throws EtcdError when etcd does not grant it */
export async function openLease(leases: LeaseApi, ttlMs: number, options: LeaseOptions): Promise<Lease> {
  const calls: LeaseCalls = {
    open: async () => leaseName((await leases.grant(Math.ceil(ttlMs / 1_000))).id),
    renew: async (name, { timeoutMs, signal }) => {
      const seconds = await withAbort(leases.keepAlive(leaseId(name), { timeoutMs }), signal);
      if (seconds !== undefined) return seconds * 1_000;
      throw new EtcdError('RK_NOT_FOUND', `etcd has no lease ${name}`);
    },
    close: (name, timeoutMs) => leases.revoke(leaseId(name), { timeoutMs }),
  };
  return Lease.open(calls, ttlMs, options);
}
