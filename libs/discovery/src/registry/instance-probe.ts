import { request } from 'node:http';
import { eachConcurrently } from '../timing/each-concurrently.js';
import { READINESS_META, type ServiceInstance } from './service-instance.js';
import { PROBE_TIMEOUT_MS, probeResultOf, probeTcp, type ProbeResult } from './tcp-probe.js';

/** Probes one instance directly, without the registry. */
export type InstanceProbe = (instance: ServiceInstance) => Promise<ProbeResult>;

const MAX_CONCURRENT_PROBES = 16;

/** Asks an instance that publishes its readiness path whether it is ready; of any other it only opens a connection. */
export const probeInstance: InstanceProbe = async (instance) => {
  const path = instance.meta[READINESS_META];
  if (path?.startsWith('/') && !instance.secure) return probeReadiness(instance, path);
  return (await probeTcp(instance.address, instance.port)).result;
};

/** The result for each instance, in their order; concurrency is bounded, so that a large service causes no flood. */
export async function probeAll(
  instances: readonly ServiceInstance[],
  probe: InstanceProbe,
): Promise<readonly ProbeResult[]> {
  const results: ProbeResult[] = [];
  await eachConcurrently(instances, MAX_CONCURRENT_PROBES, async (instance, index) => {
    // An address that cannot be dialled (a registry takes any number for a port) must not end the other probes.
    results[index] = await probe(instance).catch(() => 'unknown' as const);
  });
  return results;
}

function probeReadiness({ address, port }: ServiceInstance, path: string): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const asked = request({ host: address, port, path, agent: false });
    const end = (result: ProbeResult): void => {
      clearTimeout(timer);
      // The body is not read.
      asked.destroy();
      resolve(result);
    };
    // Accepting the connection is enough: a slow instance is not gone.
    const timer = setTimeout(
      () => end(asked.socket?.connecting === false ? 'reachable' : 'timeout'),
      PROBE_TIMEOUT_MS,
    );
    asked.once('response', ({ statusCode }) => end(statusCode === 503 ? 'not-ready' : 'reachable'));
    asked.on('error', (error) => end(probeResultOf(error)));
    asked.end();
  });
}
