import { request } from 'node:http';
import { connect } from 'node:net';
import { READINESS_META, type ServiceInstance } from './service-instance.js';
import type { Sighting } from '../catalog/protection/protection-rules.js';

/** Looks at one instance itself. */
export type InstanceProbe = (instance: ServiceInstance) => Promise<Sighting>;

const PATIENCE_MS = 1_000;
const AT_ONCE = 16;

/** Asks an instance that tells of its readiness path whether it is ready; any other one only takes a connection. */
export const probeInstance: InstanceProbe = async (instance) => {
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
      // An address that cannot even be dialled (a registry takes any number for a port) says nothing of the others.
      if (instance) sightings[at] = await probe(instance).catch(() => 'unknown' as const);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, instances.length) }, worker));
  return sightings;
}

function knock({ address, port }: ServiceInstance): Promise<Sighting> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (sighting: Sighting): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(sighting);
    };
    const timer = setTimeout(() => end('silent'), PATIENCE_MS);
    socket.once('connect', () => end('answers'));
    socket.once('error', (error) => end(sightingOf(error)));
  });
}

function askReadiness({ address, port }: ServiceInstance, path: string): Promise<Sighting> {
  return new Promise((resolve) => {
    const asked = request({ host: address, port, path, agent: false });
    const end = (sighting: Sighting): void => {
      clearTimeout(timer);
      // Whatever the body is, it is not read.
      asked.destroy();
      resolve(sighting);
    };
    // It took the connection: slow is not gone. Only who does not even do that is silent.
    const timer = setTimeout(
      () => end(asked.socket?.connecting === false ? 'answers' : 'silent'),
      PATIENCE_MS,
    );
    asked.once('response', ({ statusCode }) => end(statusCode === 503 ? 'not ready' : 'answers'));
    asked.on('error', (error) => end(sightingOf(error)));
    asked.end();
  });
}

/** Our own trouble (no descriptor left, a name that does not resolve, no route) is not the instance's. */
function sightingOf({ code }: NodeJS.ErrnoException): Sighting {
  return code === 'ECONNREFUSED' ? 'refuses' : 'unknown';
}
