import { instanceKey, type ServiceInstance } from '../../registry/service-instance.js';

/**
 * What a probe of an instance found: it takes connections; refuses them; does not react at all; or says itself that it
 * is not ready, as an app does that is about to end; or nothing could be found out.
 */
export type Sighting = 'answers' | 'refuses' | 'silent' | 'not ready' | 'unknown';

/** An answer that leaves out instances which are there is believed after so many milliseconds all the same. */
export const LONGEST_DOUBT_MS = 30_000;

/**
 * Which instances in use an answer leaves out, when they are so many that it may be wrong: all of those that could be
 * used, or more than half. Registries do answer like that after a restored snapshot, a wiped disk or a changed ACL,
 * while the instances are well (hashicorp/consul#21548); a real scale-down is told from it by looking at the instances.
 */
export function suspectsIn(
  inUse: readonly ServiceInstance[],
  answer: readonly ServiceInstance[],
): readonly ServiceInstance[] {
  if (inUse.length === 0) return [];
  const listed = new Set(answer.map(instanceKey));
  const missing = inUse.filter((instance) => !listed.has(instanceKey(instance)));
  if (missing.length === 0) return [];
  const isUsable = answer.some(({ status }) => status === 'passing' || status === 'warning');
  return !isUsable || missing.length > inUse.length / 2 ? missing : [];
}

export interface Verdict {
  readonly gone: boolean;
  readonly reason: string;
}

/**
 * Whether an instance that the registry does not list any more is gone, by what was seen of it.
 *
 * @param isConfirmed the registry has left it out again, of late, when it was asked for a consistent answer
 */
export function judge(sighting: Sighting | undefined, doubtedForMs: number, isConfirmed: boolean): Verdict {
  switch (sighting) {
    case 'refuses':
      return { gone: true, reason: 'it refuses connections' };
    case 'silent':
      return { gone: true, reason: 'it does not answer' };
    case 'not ready':
      return { gone: true, reason: 'it says itself that it is not ready' };
    default:
      return doubtedForMs >= LONGEST_DOUBT_MS && isConfirmed
        ? { gone: true, reason: `still not listed after ${LONGEST_DOUBT_MS / 1000} s` }
        : { gone: false, reason: sighting === 'answers' ? 'it answers' : 'nothing is known of it yet' };
  }
}
