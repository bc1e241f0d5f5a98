import type { ServiceInstance } from '../registry/service-instance.js';
import type { InstanceSource } from '../registry/instance-source.js';

/** One thing that every adapter does: `run` rejects with what is wrong. For any test runner: `for (const { name, run } of cases) it(name, run)`. */
export interface ContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** What the contract lists: at 127.0.0.1, passing. */
export interface ContractInstance {
  readonly service: string;
  readonly id: string;
  readonly port: number;
}

const WITHIN_MS = 10_000;

/** Settles as the work does, or rejects after a while: a contract that hangs says nothing. */
export async function soon<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${WITHIN_MS} ms`)), WITHIN_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Follows the lists of a service until one is as it should be. @returns that list */
export async function untilListed(
  source: InstanceSource,
  service: string,
  isRight: (instances: readonly ServiceInstance[]) => boolean,
): Promise<readonly ServiceInstance[]> {
  const ending = new AbortController();
  let last: readonly ServiceInstance[] = [];
  const follow = async (): Promise<readonly ServiceInstance[]> => {
    for await (const { instances } of source.watch(service, {}, ending.signal)) {
      last = instances;
      if (isRight(instances)) return instances;
    }
    throw new Error(`the watch of "${service}" ended by itself`);
  };
  try {
    return await soon(`the list of "${service}"`, follow());
  } catch (error) {
    throw new Error(`${String(error)}; it was ${JSON.stringify(last)}`, { cause: error });
  } finally {
    ending.abort();
  }
}

/** In order, as a text: arrays of another realm, as some test runners have them, are never equal. */
export function portsOf(instances: readonly ServiceInstance[]): string {
  return instances
    .map(({ port }) => port)
    .sort((a, b) => a - b)
    .join(' ');
}
