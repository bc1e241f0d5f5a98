import { EtcdClient } from '@rookery/etcd';
import { EtcdServer, findTool } from '@rookery/test-support';
import type { OwnRegistry, UsedRegistry } from './used-registry.js';

/** Where `etcdctl` expects a member. */
const USUAL_ADDRESS = 'http://127.0.0.1:2379';
const PREFIX = '/rookery/services';

/** A running etcd if there is one, else a new one. */
export async function findOrStartEtcd(): Promise<UsedRegistry> {
  const named = process.env.ETCDCTL_ENDPOINTS;
  const running = named ?? USUAL_ADDRESS;
  const client = EtcdClient.create();
  const found = await client.status({ timeoutMs: 1_000 }).catch(() => undefined);
  if (found) {
    const why = named === undefined ? 'already running' : 'named by ETCDCTL_ENDPOINTS';
    return {
      ...etcdAt(running, client),
      description: `${running} (etcd ${found.version}, ${why}; stays as it is)`,
      stop: async () => client.close(),
    };
  }
  client.close();
  if (named !== undefined) throw new Error(`No etcd answers at ${named}, which ETCDCTL_ENDPOINTS names.`);
  return startEtcd();
}

/** A new one on free ports. */
export async function startEtcd(): Promise<OwnRegistry> {
  if (!findTool('etcd') || !findTool('etcdctl')) {
    throw new Error(
      'There is no etcd: put etcd and etcdctl on PATH (Debian: apt install etcd-server etcd-client), or name one that runs with ETCDCTL_ENDPOINTS.',
    );
  }
  const server = await EtcdServer.start();
  const client = EtcdClient.create({ endpoints: server.url });
  const { version } = await client.status();
  return {
    ...etcdAt(server.url, client),
    description: `${server.url} (etcd ${version}, started here; stops at the end)`,
    kill: () => server.kill(),
    restartEmpty: async () => {
      server.wipe();
      await server.relaunch();
    },
    stop: async () => {
      client.close();
      await server.stop();
    },
  };
}

function etcdAt(url: string, client: EtcdClient): Omit<UsedRegistry, 'description' | 'stop'> {
  const etcdctl = `ETCDCTL_API=3 etcdctl --endpoints ${url}`;
  return {
    name: 'etcd',
    environment: { REGISTRY: 'etcd', ETCDCTL_ENDPOINTS: url },
    commands: {
      list: `${etcdctl} get --prefix ${PREFIX}/`,
      discount: `${etcdctl} put config/storefront/discount 25`,
    },
    put: async (key, value) => {
      await client.kv.put(key, value);
    },
    count: async (service) => (await client.kv.range({ prefix: `${PREFIX}/${service}/` })).values.length,
    remove: (service, id) =>
      client.kv.delete(`${PREFIX}/${service}/${id}`, { timeoutMs: 2_000 }).then(
        () => undefined,
        () => undefined,
      ),
  };
}
