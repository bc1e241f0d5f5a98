/** What a consistent read of a key that an update leaves out has shown. */
export type VanishedKeyRead = 'missing' | 'present' | 'denied' | 'failed';

export interface TreeEvidence {
  /** How many keys are in use. */
  readonly known: number;
  /** How many of them the update leaves out. */
  readonly vanished: number;
  /** How many keys the update has. */
  readonly remaining: number;
  /** The update follows from the keys in use without a gap. */
  readonly isContinuous: boolean;
  /** Consistent reads of keys that the update leaves out. */
  readonly vanishedKeys: readonly VanishedKeyRead[];
  /** How long the keys have been missing without a change, in milliseconds; undefined: they are since this update. */
  readonly missingForMs: number | undefined;
}

export interface TreeVerdict {
  readonly isAccepted: boolean;
  readonly reason: string;
}

/** As long as a suspicious list of instances is kept at most. */
export const MAX_SUSPECT_MS = 30_000;

/**
 * Whether keys that an update leaves out have been deleted. They have if the watch saw them go. After a gap (a restart, an outage),
 * Consul may have come back without them: an empty tree is then not believed at all until a key is in it, and one
 * that has lost more than half is believed after a while. Without the permission to read them, keys look deleted, too.
 */
export function judgeTree(evidence: TreeEvidence): TreeVerdict {
  const { known, vanished, remaining, isContinuous, vanishedKeys, missingForMs } = evidence;
  if (vanishedKeys.includes('denied')) return kept('the token may no longer read them');
  if (vanishedKeys.includes('present')) return kept('a consistent read still finds them');
  if (vanishedKeys.includes('failed')) return kept('it has not been possible to confirm it');
  if (isContinuous) return { isAccepted: true, reason: 'deleted' };
  if (remaining === 0) return kept('the tree was empty after the connection to Consul was interrupted');
  // A tree that is being restored misses less and less, and is not taken for complete on the way.
  if (missingForMs === undefined && vanished <= known / 2)
    return { isAccepted: true, reason: 'deleted while Consul was not reachable' };
  if (missingForMs !== undefined && missingForMs >= MAX_SUSPECT_MS)
    return { isAccepted: true, reason: `still missing after ${MAX_SUSPECT_MS / 1000} s` };
  return kept('most of the tree was gone after the connection to Consul was interrupted');
}

function kept(reason: string): TreeVerdict {
  return { isAccepted: false, reason };
}
