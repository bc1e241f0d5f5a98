import { request } from 'node:http';
import { connect } from 'node:net';
import { READINESS_META, type ServiceInstance } from '../registry/service-instance.js';
import type { Sighting } from './list-belief.js';

/** Looks at one instance itself. Never rejects. */
export type InstanceProbe = (instance: ServiceInstance) => Promise<Sighting>;

const PATIENCE_MS = 1_000;
const AT_ONCE = 16;

/** Asks an instance that tells of its readiness path whether it is ready; any other one only takes a connection. */
export const probeInstance: InstanceProbe = (instance) => {
  const path = instance.meta[READINESS_META];
  return path?.startsWith('/') && !instance.secure ? askReadiness(instance, path) : knock(instance);
};

/** What is seen of each, in the order of the instances; so many at a time that a large service costs no flood. */
export async function probeAll(
  instances: readonly ServiceInstance[],
  probe: InstanceProbe,
): Promise<readonly Sighting[]> {
  const sightings: Sighting[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < instances.length; at = next++) {
      const instance = instances[at];
      if (instance) sightings[at] = await probe(instance);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, instances.length) }, worker));
  return sightings;
}

function knock({ address, port }: ServiceInstance): Promise<Sighting> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: PATIENCE_MS });
    const end = (sighting: Sighting) => (): void => {
      socket.destroy();
      resolve(sighting);
    };
    socket.once('connect', end('answers'));
    socket.once('timeout', end('silent'));
    socket.once('error', end('refuses'));
  });
}

function askReadiness({ address, port }: ServiceInstance, path: string): Promise<Sighting> {
  return new Promise((resolve) => {
    const asked = request({ host: address, port, path, agent: false, timeout: PATIENCE_MS });
    asked.once('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode === 503 ? 'not ready' : 'answers');
    });
    // It took the connection: slow is not gone. Only who does not even do that is silent.
    asked.once('timeout', () => {
      resolve(asked.socket?.connecting === false ? 'answers' : 'silent');
      asked.destroy();
    });
    asked.once('error', () => resolve('refuses'));
    asked.end();
  });
}
