import type { TargetPicks } from '@rookery/discovery/adapter';

/** The name of the load-balancing policy. */
export const POLICY = 'rookery';

/** As gRPC's service config has it: grpc/doc/service_config.md, and proposal A6 for retries. */
export interface ServiceConfigJson {
  readonly loadBalancingConfig: readonly Readonly<Record<string, object>>[];
  readonly methodConfig: readonly {
    readonly name: readonly object[];
    readonly retryPolicy: {
      readonly maxAttempts: number;
      readonly initialBackoff: string;
      readonly maxBackoff: string;
      readonly backoffMultiplier: number;
      readonly retryableStatusCodes: readonly string[];
    };
  }[];
  readonly retryThrottling?: { readonly maxTokens: number; readonly tokenRatio: number };
}

/** While there is no list: nothing is retried. */
export const NO_LIST: ServiceConfigJson = { loadBalancingConfig: [{ [POLICY]: {} }], methodConfig: [] };

/** A6: implementations may cap it there, and this one does. */
const MAX_ATTEMPTS = 5;
/**
 * At half of it retries stop. The most that A6 allows: where an instance dies, all of its calls under way fail at once, and each takes a token before the first of them is
 * made again.
 */
const MAX_TOKENS = 1_000;

/**
 * How channels retry, by gRPC's own rules: on *unavailable* only, before the response has begun, within a budget. A message that was sent may have been
 * executed: servers use that status for what they did not do.
 */
export function serviceConfigOf({
  settings: { retries },
  retryBudget: { ratio },
}: Pick<TargetPicks, 'settings' | 'retryBudget'>): ServiceConfigJson {
  const loadBalancingConfig = [{ [POLICY]: {} }];
  // Channels share it by their target: without it, one that does not retry would take it from those that do.
  const retryThrottling = { maxTokens: MAX_TOKENS, tokenRatio: ratio };
  if (retries === 0) return { loadBalancingConfig, methodConfig: [], retryThrottling };
  const retryPolicy = {
    maxAttempts: Math.min(MAX_ATTEMPTS, retries + 1),
    initialBackoff: '0.025s',
    maxBackoff: '0.25s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE'],
  };
  return { loadBalancingConfig, methodConfig: [{ name: [{}], retryPolicy }], retryThrottling };
}
