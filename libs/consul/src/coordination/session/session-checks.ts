import { DiscoveryError } from '@rookery/discovery';
import type { ConsulClient } from '../../client/consul-client.js';

const MAINTENANCE = '_service_maintenance:';

/** Ids of the checks that end a session when they are critical. */
export async function sessionChecks(
  client: ConsulClient,
  option: 'none' | 'service' | readonly string[],
  instance: string | undefined,
): Promise<readonly string[]> {
  if (option === 'none') return [];
  if (option !== 'service') return option;
  const checks = instance === undefined ? [] : await checksOf(client, instance);
  if (checks.length > 0) return checks;
  throw new DiscoveryError('RK_NOT_FOUND', "locks.checks = 'service': this app has no check in Consul", {
    hint: 'It is not registered yet, registers no service, or one without a check',
    // A registration comes, or comes back.
    retryable: true,
  });
}

async function checksOf(client: ConsulClient, instance: string): Promise<string[]> {
  const { body } = await client.agent.checks.list();
  return (
    Object.values(body)
      // In maintenance the service gets one more, which is critical.
      .filter(({ ServiceID, CheckID }) => ServiceID === instance && !CheckID.startsWith(MAINTENANCE))
      .map(({ CheckID }) => CheckID)
  );
}
