import { ConsulModule } from '@rookery/consul';
import { consulConfig } from '@rookery/consul/config';
import { EtcdModule } from '@rookery/etcd';
import { etcdConfig } from '@rookery/etcd/config';
import { settings } from './settings.js';

const service = { name: 'storefront' };

/** Consul, or with `REGISTRY=etcd` etcd: the rest of the app is the same. */
export const [registry, configuration] =
  process.env.REGISTRY === 'etcd'
    ? [EtcdModule.forRoot({ service }), etcdConfig(settings)]
    : [ConsulModule.forRoot({ service }), consulConfig(settings)];
