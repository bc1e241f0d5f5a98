import type { Contention } from '../contention/contention.js';
import type { LockContest, LockSession } from '../contention/contest.js';
import { parseHolder, type LockHolder } from './lock-holder.js';

/** A lock or a semaphore, as this process sees it. */
export interface LockExplanation {
  readonly key: string;
  /** What this process holds of it; several only of a semaphore. */
  readonly held: readonly {
    readonly fence: number;
    readonly session: string;
    readonly heldMs: number;
    /** How long until its `signal` aborts, without a further renewal. */
    readonly remainingMs: number;
    /** How long until the registry can give it to another, without a further renewal. */
    readonly expiresInMs: number;
  }[];
  /** How many wait for it in this process. */
  readonly waiters: number;
}

/** A lock, as the registry has it. */
export interface LockReport {
  readonly key: string;
  /** Undefined: it is free. */
  readonly holder: LockHolder | undefined;
  readonly session: LockSession | undefined;
  /** What this process has to do with it; undefined: nothing. */
  readonly own: LockExplanation | undefined;
}

export function explainContention({ contest, held, waiters }: Contention): LockExplanation {
  return {
    key: contest.key,
    held: held.map(({ fence, session, heldMs, remainingMs, expiresInMs }) => ({
      fence,
      session,
      heldMs: Math.round(heldMs),
      remainingMs: Math.round(remainingMs),
      expiresInMs: Math.round(expiresInMs),
    })),
    waiters,
  };
}

export async function readReport(
  contest: LockContest,
  own: LockExplanation | undefined,
): Promise<LockReport> {
  const { key } = contest;
  const held = contest.holderOf(await contest.read(new AbortController().signal));
  if (!held) return { key, holder: undefined, session: undefined, own };
  const session = await contest.describeSession(held.session);
  return { key, holder: parseHolder(held.value), session, own };
}
