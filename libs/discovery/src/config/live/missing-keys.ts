import type { StoredKey } from '../config-store.js';
import { judgeKey, type KeyVerdict, type VanishedKeyRead } from './judge-key.js';

/** Since when a key has been missing, by the clock, and whether the watch saw it go. */
interface MissingKey {
  readonly since: number;
  readonly isWatched: boolean;
}

export interface Judgement {
  readonly deleted: readonly string[];
  /** Why the others stay in use; undefined: there are none. */
  readonly reason: string | undefined;
  /** Why keys are deleted; undefined: none is. */
  readonly deletedReason: string | undefined;
}

/** The keys that stay in use although the registry no longer shows them. */
export class MissingKeys {
  readonly #keys = new Map<string, MissingKey>();
  #wasEmpty = false;

  get count(): number {
    return this.#keys.size;
  }

  get keys(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /**
   * Takes note of an update.
   *
   * @param known the keys in use
   * @param isContinuous there was no gap since the previous update
   * @param isPoll it was read by a request of its own, which may see another state of the registry than the watch
   * @returns the keys that are missing since this update
   */
  note(
    known: readonly StoredKey[],
    update: readonly StoredKey[],
    isContinuous: boolean,
    isPoll: boolean,
    now: number,
  ): readonly string[] {
    const present = new Set(update.map(({ key }) => key));
    const returned = this.keys.filter((key) => present.has(key));
    for (const key of returned) this.#keys.delete(key);
    const isRestored = returned.length > 0 || (this.#wasEmpty && update.length > 0);
    this.#wasEmpty = update.length === 0;
    for (const [key, missing] of this.#keys) {
      // While a tree is being restored its other keys get more time; after a gap nothing of before counts.
      const since = isRestored ? now : missing.since;
      this.#keys.set(key, { since, isWatched: isContinuous && missing.isWatched });
    }
    // Folders are no values.
    const missing = known.map(({ key }) => key).filter((key) => !key.endsWith('/') && !present.has(key));
    const added = missing.filter((key) => !this.#keys.has(key));
    for (const key of added) this.#keys.set(key, { since: now, isWatched: isContinuous && !isPoll });
    return added;
  }

  /**
   * Decides on keys of which some were read; of the others nothing else is assumed if all reads agree.
   *
   * @param added those that are missing for the first time
   * @param known how many keys are in use
   */
  judge(
    keys: readonly string[],
    reads: ReadonlyMap<string, VanishedKeyRead>,
    added: readonly string[],
    known: number,
    isTreeEmpty: boolean,
    now: number,
  ): Judgement {
    const worst = worstOf([...reads.values()]);
    const isFew = this.#keys.size === added.length && added.length <= known / 2;
    const verdicts = keys.flatMap((key): { key: string; verdict: KeyVerdict }[] => {
      const missing = this.#keys.get(key);
      if (!missing) return [];
      const verdict = judgeKey({
        isWatched: missing.isWatched,
        read: reads.get(key) ?? worst,
        missingForMs: now - missing.since,
        isOneOfFew: isFew,
        isTreeEmpty,
      });
      return [{ key, verdict }];
    });
    const deleted = verdicts.filter(({ verdict }) => verdict.isDeleted);
    for (const { key } of deleted) this.#keys.delete(key);
    return {
      deleted: deleted.map(({ key }) => key),
      deletedReason: deleted[0]?.verdict.reason,
      reason: verdicts.find(({ verdict }) => !verdict.isDeleted)?.verdict.reason,
    };
  }
}

const WORST: readonly VanishedKeyRead[] = ['denied', 'present', 'failed'];

function worstOf(reads: readonly VanishedKeyRead[]): VanishedKeyRead {
  return WORST.find((read) => reads.includes(read)) ?? (reads.length > 0 ? 'missing' : 'failed');
}
