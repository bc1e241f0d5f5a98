import { ConsulAgent, consulVersion, findConsul, HOW_TO_GET_CONSUL } from '@rookery/test-support';

export interface UsedConsul {
  readonly url: string;
  /** One line: which it is. */
  readonly description: string;
  /** Ends it if it is ours; one that was running already is left as it is. */
  stop(): Promise<void>;
}

const USUAL_ADDRESS = 'http://127.0.0.1:8500';

/** A running Consul if there is one, else one of our own in dev mode. */
export async function findOrStartConsul(): Promise<UsedConsul> {
  const named = process.env.CONSUL_HTTP_ADDR;
  const running = named ?? ((await answers(USUAL_ADDRESS)) ? USUAL_ADDRESS : undefined);
  if (running === undefined) return startConsul();
  const url = /^[a-z]+:\/\//.test(running) ? running : `http://${running}`;
  if (!(await answers(url))) throw new Error(`No Consul answers at ${url}, which CONSUL_HTTP_ADDR names.`);
  const why = named === undefined ? 'was running already' : 'named by CONSUL_HTTP_ADDR';
  return {
    url: running,
    description: `${running} (${why}; it is left as it is)`,
    stop: async () => undefined,
  };
}

/** One of our own, in memory, on free ports. */
export async function startConsul(): Promise<UsedConsul & { agent: ConsulAgent }> {
  const binary = findConsul();
  if (!binary) throw new Error(`There is no Consul. Either ${HOW_TO_GET_CONSUL}.`);
  const agent = await ConsulAgent.start();
  return {
    agent,
    url: agent.url,
    description: `${agent.url} (Consul ${consulVersion(binary)} in dev mode, ours; ends with us)`,
    stop: () => agent.stop(),
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/v1/status/leader`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
