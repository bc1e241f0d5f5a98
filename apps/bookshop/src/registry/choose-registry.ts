import { parseArgs } from 'node:util';

const REGISTRIES = ['consul', 'etcd'] as const;

export type RegistryName = (typeof REGISTRIES)[number];

/**
 * `npm start -- --registry etcd`. Default: Consul.
 *
 * @throws Error for another option, or another registry
 */
export function chosenRegistry(args: readonly string[]): RegistryName {
  const { values } = parseArgs({ args: [...args], options: { registry: { type: 'string' } } });
  const { registry = 'consul' } = values;
  const chosen = REGISTRIES.find((name) => name === registry);
  if (chosen) return chosen;
  throw new Error(`--registry ${registry} is not known: use one of ${REGISTRIES.join(', ')}`);
}
