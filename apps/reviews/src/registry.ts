import { ConsulModule } from '@rookery/consul';
import { EtcdModule } from '@rookery/etcd';

const service = { name: 'reviews' };

/** Consul, or with `REGISTRY=etcd` etcd: the rest of the app is the same. */
export const registry =
  process.env.REGISTRY === 'etcd' ? EtcdModule.forRoot({ service }) : ConsulModule.forRoot({ service });
