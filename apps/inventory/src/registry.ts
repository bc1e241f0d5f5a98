import { ConsulModule, type ServiceOptions } from '@rookery/consul';
import { EtcdModule } from '@rookery/etcd';

const service: ServiceOptions = { name: 'inventory', tags: ['v1'], meta: { version: '1.0.0' } };

/** Consul, or with `REGISTRY=etcd` etcd, which runs no checks: there the app reports its own health, and is gone after the TTL of its lease. */
export const registry =
  process.env.REGISTRY === 'etcd'
    ? EtcdModule.forRoot({ service, leaseTtl: '5s' })
    : ConsulModule.forRoot({
        // The default is 10 s; on one machine a check every second costs little.
        service: { ...service, check: { type: 'http', interval: '1s', timeout: '1s' } },
      });
