import { DiscoveryError } from '../errors/discovery-error.js';

/** Two configurations at one place would hide each other's values. */
export function invalidSources(
  namespaces: readonly (string | undefined)[],
  factory: string,
): DiscoveryError | undefined {
  const twice = namespaces.find((namespace, index) => namespaces.indexOf(namespace) !== index);
  if (twice === undefined && namespaces.filter((namespace) => namespace === undefined).length < 2)
    return undefined;
  const where = twice === undefined ? 'without registerAs' : `as "${twice}"`;
  return new DiscoveryError('RK_CONFIG_INVALID', `${factory}: two configurations are loaded ${where}`, {
    hint: 'Give each its own name with registerAs, or read both trees with one, by its option paths',
  });
}
