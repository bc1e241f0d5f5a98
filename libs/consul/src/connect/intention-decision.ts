import type { ConnectIntention } from '../client/api/types.js';
import type { SpiffeId } from './spiffe-id.js';

/** What is known of which services may call one. */
export interface IntentionRules {
  /** Those that may apply to it. */
  readonly intentions: readonly ConnectIntention[];
  /** Where none applies: Consul decides by its default for ACLs. */
  readonly allowsByDefault: boolean;
}

export interface IntentionDecision {
  readonly isAllowed: boolean;
  /** For the caller, and the log. */
  readonly reason: string;
}

/**
 * What Consul answers, as far as decisions depend on it.
 *
 * @throws Error that names the field: rules that are half understood decide nothing
 */
export function assertIntentions(given: unknown): asserts given is readonly ConnectIntention[] {
  if (!Array.isArray(given)) throw new Error('the intentions of Consul are no list');
  for (const [n, each] of (given as readonly unknown[]).entries()) {
    const { SourceName, Precedence, Permissions, ...rest } = (each ?? {}) as Record<string, unknown>;
    const at = `intention ${n} of Consul`;
    if (typeof SourceName !== 'string' || SourceName === '') throw new Error(`${at} has no SourceName`);
    if (typeof Precedence !== 'number') throw new Error(`${at} has no Precedence`);
    if (Permissions !== undefined && Permissions !== null && !Array.isArray(Permissions))
      throw new Error(`${at}: Permissions is no list`);
    for (const name of ['SourceNS', 'SourcePartition', 'SourcePeer', 'Action'] as const)
      if (rest[name] !== undefined && typeof rest[name] !== 'string')
        throw new Error(`${at}: ${name} is no text`);
  }
}

const ANY = '*';
const DEFAULT = 'default';

/**
 * Whether a caller is allowed: by the intention with the highest precedence that names it, as Consul's own `authorize` decides. One with `Permissions` is
 * for proxies that see requests; here it denies, as there.
 */
export function decideByIntentions(
  { service, namespace, partition }: Pick<SpiffeId, 'service' | 'namespace' | 'partition'>,
  { intentions, allowsByDefault }: IntentionRules,
): IntentionDecision {
  // Consul without namespaces and partitions leaves them out, or empty.
  const is = (given = '', own: string): boolean => given === ANY || (given === '' ? DEFAULT : given) === own;
  const applying = intentions.filter(
    ({ SourceName, SourceNS, SourcePeer, SourcePartition }) =>
      (SourcePeer ?? '') === '' &&
      is(SourceName, service) &&
      is(SourceNS, namespace) &&
      is(SourcePartition, partition),
  );
  const [first] = applying.sort((a, b) => b.Precedence - a.Precedence);
  if (!first) {
    const reason = `no intention of Consul is about "${service}", and its default is to ${allowsByDefault ? 'allow' : 'deny'}`;
    return { isAllowed: allowsByDefault, reason };
  }
  const isAllowed = actionOf(first) === 'allow';
  const which = `the intention of Consul from "${first.SourceName}" to "${first.DestinationName}"`;
  return { isAllowed, reason: `${which} ${isAllowed ? 'allows' : 'denies'} it` };
}

/** What an intention decides here: one with permissions denies. */
export function actionOf({ Action, Permissions }: ConnectIntention): string | undefined {
  return (Permissions ?? []).length > 0 ? 'deny' : Action;
}
