import { instanceKey, type ServiceInstance } from '../../registry/service-instance.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';

/** A suspicious update is accepted after this time at the latest, if a consistent read confirms it. */
export const MAX_SUSPECT_MS = 30_000;

/**
 * The instances in use that an update leaves out, when they are so many that the update may be wrong: all that could be
 * used, or more than half. Registries do return such lists after a restored snapshot, a wiped disk or a changed ACL, while
 * the instances are healthy (hashicorp/consul#21548). Probing the instances tells a real scale-down from it.
 */
export function suspectsIn(
  inUse: readonly ServiceInstance[],
  update: readonly ServiceInstance[],
): readonly ServiceInstance[] {
  if (inUse.length === 0) return [];
  const listed = new Set(update.map(instanceKey));
  const missing = inUse.filter((instance) => !listed.has(instanceKey(instance)));
  if (missing.length === 0) return [];
  const isUsable = update.some(({ status }) => status === 'passing' || status === 'warning');
  return !isUsable || missing.length > inUse.length / 2 ? missing : [];
}

export interface SuspectDecision {
  readonly isGone: boolean;
  readonly reason: string;
}

/**
 * Whether an instance that the registry no longer lists is gone.
 *
 * @param isConfirmed a recent consistent read did not list it either
 */
export function decideSuspect(
  result: ProbeResult | undefined,
  suspectForMs: number,
  isConfirmed: boolean,
): SuspectDecision {
  switch (result) {
    case 'refused':
      return { isGone: true, reason: 'connection refused' };
    case 'timeout':
      return { isGone: true, reason: 'no response' };
    case 'not-ready':
      return { isGone: true, reason: 'its readiness check fails' };
    default:
      return suspectForMs >= MAX_SUSPECT_MS && isConfirmed
        ? { isGone: true, reason: `still not listed after ${MAX_SUSPECT_MS / 1000} s` }
        : {
            isGone: false,
            reason: result === 'reachable' ? 'it accepts connections' : 'no probe result yet',
          };
  }
}
