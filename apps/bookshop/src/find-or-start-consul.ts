import { EmbeddedConsul } from '@rookery/embedded-consul';
import { ConsulAgent, consulVersion, findConsul } from '@rookery/test-support';

export interface UsedConsul {
  readonly url: string;
  /** One line that says which Consul this is. */
  readonly description: string;
  /** Stops it if this process started it; a Consul that was already running stays. */
  stop(): Promise<void>;
}

/** A Consul that this process started, and may stop and restart. */
export interface OwnConsul extends UsedConsul {
  kill(): Promise<void>;
  /** On the same address, with nothing in it. */
  restartEmpty(): Promise<void>;
}

/** Where the `consul` CLI expects an agent. */
export const USUAL_ADDRESS = 'http://127.0.0.1:8500';

/** A running Consul if there is one, else a new one. */
export async function findOrStartConsul(): Promise<UsedConsul> {
  const named = process.env.CONSUL_HTTP_ADDR;
  const running = named ?? ((await answers(USUAL_ADDRESS)) ? USUAL_ADDRESS : undefined);
  if (running === undefined) return startConsul();
  const url = /^[a-z]+:\/\//.test(running) ? running : `http://${running}`;
  if (!(await answers(url))) throw new Error(`No Consul answers at ${url}, which CONSUL_HTTP_ADDR names.`);
  const why = named === undefined ? 'already running' : 'named by CONSUL_HTTP_ADDR';
  return { url, description: `${url} (${why}; stays as it is)`, stop: async () => undefined };
}

/** A new one in memory on free ports: the binary if there is one, else the embedded one. */
export async function startConsul(): Promise<OwnConsul> {
  const binary = findConsul();
  if (!binary) return startEmbedded();
  const agent = await ConsulAgent.start();
  return {
    url: agent.url,
    description: `${agent.url} (Consul ${consulVersion(binary)} in dev mode, started here; stops at the end)`,
    kill: () => agent.kill(),
    restartEmpty: () => agent.restart({ keepData: false }),
    stop: () => agent.stop(),
  };
}

async function startEmbedded(): Promise<OwnConsul> {
  let consul = await EmbeddedConsul.start();
  const { url } = consul;
  return {
    url,
    description: `${url} (embedded, since there is no consul on PATH; for development only; stops at the end)`,
    kill: () => consul.stop(),
    restartEmpty: async () => {
      consul = await EmbeddedConsul.start({ port: Number(new URL(url).port) });
    },
    stop: () => consul.stop(),
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/v1/status/leader`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
