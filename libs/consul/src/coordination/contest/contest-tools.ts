import type { Lease, LeaseOptions } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../../client/consul-client.js';
import type { ConsulKv } from '../../kv/consul-kv.js';
import type { SessionSpec } from '../session/open-session.js';

/** What locks and semaphores in Consul are made of. */
export interface ContestTools {
  readonly client: ConsulClient;
  readonly kv: ConsulKv;
  /** @param behavior what happens to the key of a session when it ends */
  readonly openSession: (
    name: string,
    behavior: SessionSpec['behavior'],
    options: LeaseOptions,
  ) => Promise<Lease>;
}
