import { EmbeddedConsul } from '@rookery/embedded-consul';
import { ConsulAgent, consulVersion, findConsul } from '@rookery/test-support';
import type { OwnRegistry, UsedRegistry } from './used-registry.js';

/** Where the `consul` CLI expects an agent. */
const USUAL_ADDRESS = 'http://127.0.0.1:8500';

/** A running Consul if there is one, else a new one. */
export async function findOrStartConsul(): Promise<UsedRegistry> {
  const named = process.env.CONSUL_HTTP_ADDR;
  const running = named ?? ((await answers(USUAL_ADDRESS)) ? USUAL_ADDRESS : undefined);
  if (running === undefined) return startConsul();
  const url = /^[a-z]+:\/\//.test(running) ? running : `http://${running}`;
  if (!(await answers(url))) throw new Error(`No Consul answers at ${url}, which CONSUL_HTTP_ADDR names.`);
  const why = named === undefined ? 'already running' : 'named by CONSUL_HTTP_ADDR';
  return { ...consulAt(url), description: `${url} (${why}; stays as it is)`, stop: async () => undefined };
}

/** A new one in memory on free ports: the binary if there is one, else the embedded one. */
export async function startConsul(): Promise<OwnRegistry> {
  const binary = findConsul();
  if (!binary) return startEmbedded();
  const agent = await ConsulAgent.start();
  return {
    ...consulAt(agent.url),
    description: `${agent.url} (Consul ${consulVersion(binary)} in dev mode, started here; stops at the end)`,
    kill: () => agent.kill(),
    restartEmpty: () => agent.restart({ keepData: false }),
    stop: () => agent.stop(),
  };
}

async function startEmbedded(): Promise<OwnRegistry> {
  let consul = await EmbeddedConsul.start();
  const { url } = consul;
  return {
    ...consulAt(url),
    page: `${url}/ui/`,
    description: `${url} (embedded, since there is no consul on PATH; for development only; stops at the end)`,
    kill: () => consul.stop(),
    restartEmpty: async () => {
      consul = await EmbeddedConsul.start({ port: Number(new URL(url).port) });
    },
    stop: () => consul.stop(),
  };
}

function consulAt(url: string): Omit<UsedRegistry, 'description' | 'stop'> {
  const put = async (path: string, body?: string): Promise<void> => {
    const signal = AbortSignal.timeout(2_000);
    await fetch(url + path, { method: 'PUT', signal, ...(body === undefined ? {} : { body }) });
  };
  // The command finds a Consul at its usual address by itself.
  const address = url === USUAL_ADDRESS ? '' : ` --http-addr ${url}`;
  return {
    name: 'Consul',
    environment: { CONSUL_HTTP_ADDR: url },
    commands: {
      list: `curl ${url}/v1/catalog/services`,
      discount: `npx rookery config put config/storefront/discount 25${address}`,
    },
    put: (key, value) => put(`/v1/kv/${key}`, value),
    count: async (service) => {
      const response = await fetch(`${url}/v1/health/service/${service}?passing`);
      return ((await response.json()) as unknown[]).length;
    },
    // A Consul that has stopped keeps nothing.
    remove: (_service, id) =>
      put(`/v1/agent/service/deregister/${encodeURIComponent(id)}`).catch(() => undefined),
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/v1/status/leader`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
