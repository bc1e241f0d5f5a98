import type { ConsulAgent } from '@rookery/test-support';

export interface SeenInstance {
  readonly id: string;
  readonly port: number;
  readonly address: string;
  readonly status: 'passing' | 'warning' | 'critical';
  readonly output: string;
}

type Status = SeenInstance['status'];
interface Entry {
  readonly Node: { readonly Address: string };
  readonly Service: { readonly ID: string; readonly Port: number; readonly Address: string };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: Status; readonly Output: string }[];
}

/** What Consul shows of a service, read without the client under test. */
export async function instancesOf(
  agent: Pick<ConsulAgent, 'request'>,
  service: string,
): Promise<SeenInstance[]> {
  const { body } = await agent.request('GET', `/v1/health/service/${service}`);
  return (body as Entry[]).map(({ Node, Service, Checks }) => {
    const own = Checks.filter(({ CheckID }) => CheckID !== 'serfHealth');
    const worst = (['critical', 'warning', 'passing'] as const).find((status) =>
      own.some(({ Status: is }) => is === status),
    );
    return {
      id: Service.ID,
      port: Service.Port,
      address: Service.Address || Node.Address,
      status: worst ?? 'passing',
      output: own.map(({ Output }) => Output).join(' '),
    };
  });
}

export async function isPassing(agent: Pick<ConsulAgent, 'request'>, service: string): Promise<boolean> {
  const instances = await instancesOf(agent, service);
  return instances.length > 0 && instances.every(({ status }) => status === 'passing');
}
