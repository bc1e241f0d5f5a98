import { DiscoveryError } from '@rookery/discovery';

/** What the key `.lock` of a semaphore holds, in the layout of Consul's Go client. */
export interface SemaphoreHolders {
  readonly limit: number;
  /** Ids of sessions. */
  readonly holders: readonly string[];
}

/** @throws DiscoveryError `RK_LOCK_CONFLICT` when it is something else */
export function decodeHolders(key: string, value: Uint8Array | undefined, limit: number): SemaphoreHolders {
  if (value === undefined || value.length === 0) return { limit, holders: [] };
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    parsed = undefined;
  }
  if (!isLayout(parsed)) {
    throw new DiscoveryError('RK_LOCK_CONFLICT', `${key} is in use, and not as a semaphore`, {
      hint: 'Use another prefix: acquiring it would overwrite its value',
    });
  }
  const holders = Object.keys(parsed.Holders ?? {}).filter((session) => parsed.Holders?.[session] === true);
  return { limit: parsed.Limit, holders };
}

export function encodeHolders({ limit, holders }: SemaphoreHolders): string {
  return JSON.stringify({ Limit: limit, Holders: Object.fromEntries(holders.map((id) => [id, true])) });
}

/**
 * The holders whose sessions are alive. A holder that died stays in the list until another one writes it.
 *
 * @param alive the sessions that hold a contender entry
 */
export function liveHolders({ holders }: SemaphoreHolders, alive: ReadonlySet<string>): readonly string[] {
  return holders.filter((session) => alive.has(session));
}

function isLayout(value: unknown): value is { Limit: number; Holders?: Record<string, boolean> | null } {
  if (typeof value !== 'object' || value === null) return false;
  const { Limit, Holders } = value as Record<string, unknown>;
  return Number.isSafeInteger(Limit) && (Holders === undefined || typeof Holders === 'object');
}
