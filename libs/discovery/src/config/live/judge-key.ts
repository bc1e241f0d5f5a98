/** What a consistent read of a key that an update leaves out has shown. */
export type VanishedKeyRead = 'missing' | 'present' | 'denied' | 'failed';

/** What is known of one key that is in use, and that the registry no longer shows. */
export interface MissingKeyEvidence {
  /** The registry showed the key, and then did not, without a gap in between. */
  readonly isWatched: boolean;
  /** Of this key or, where too many are missing to read them all, of those that were read. */
  readonly read: VanishedKeyRead;
  readonly missingForMs: number;
  /** It is missing for the first time in this update, and with it at most half of the keys. */
  readonly isOneOfFew: boolean;
  /** The update has no key at all. */
  readonly isTreeEmpty: boolean;
}

export interface KeyVerdict {
  readonly isDeleted: boolean;
  readonly reason: string;
}

/** As long as a suspicious list of instances is kept at most. */
export const MAX_SUSPECT_MS = 30_000;

/**
 * Whether a key that an update leaves out has been deleted. It has if the watch saw it go and it can be read that it is gone. After a gap
 * (a restart, an outage), the registry may have come back without it: an empty tree is then not believed at all until a key is in it, and one
 * that has lost more than half is believed after a while. Without the permission to read it, a key looks deleted, too.
 */
export function judgeKey(evidence: MissingKeyEvidence): KeyVerdict {
  const { isWatched, read, missingForMs, isOneOfFew, isTreeEmpty } = evidence;
  if (read === 'denied') return kept('the token may no longer read them');
  if (read === 'present') return kept('a consistent read still finds them');
  if (read === 'failed') return kept('it has not been possible to confirm it');
  if (isWatched) return { isDeleted: true, reason: 'deleted' };
  if (isTreeEmpty) return kept('the tree was empty after the connection to the registry was interrupted');
  if (isOneOfFew) return { isDeleted: true, reason: 'deleted while the registry was not reachable' };
  if (missingForMs >= MAX_SUSPECT_MS)
    return { isDeleted: true, reason: `still missing after ${MAX_SUSPECT_MS / 1000} s` };
  return kept('most of the tree was gone after the connection to the registry was interrupted');
}

function kept(reason: string): KeyVerdict {
  return { isDeleted: false, reason };
}
