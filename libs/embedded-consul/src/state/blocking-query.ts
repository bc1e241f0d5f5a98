import type { ApiRequest } from '../http/api-request.js';
import { badRequest } from '../http/api-error.js';
import { parseGoDuration } from '../json/go-duration.js';
import type { ControllableClock } from '../time/controllable-clock.js';
import type { IndexBook } from './index-book.js';

export interface Reading<T> {
  readonly index: number;
  readonly body: T;
}

const DEFAULT_WAIT_MS = 300_000;
const LONGEST_WAIT_MS = 600_000;

/** The parameters of every read: `index`, `wait`, and the consistency mode; wrong ones are refused like Consul. */
export interface ReadOptions {
  readonly minIndex: bigint;
  readonly waitMs: number;
  readonly consistency: 'leader' | 'stale' | 'consistent';
  readonly cached: boolean;
}

/** The parameters of a read from the agent's own memory: `index` and `wait`, no consistency mode. */
export function waitOptions({ query }: ApiRequest): Pick<ReadOptions, 'minIndex' | 'waitMs'> {
  const wait = query.get('wait');
  let waitMs = 0;
  if (wait) {
    try {
      waitMs = parseGoDuration(wait);
    } catch {
      throw badRequest('Invalid wait time');
    }
  }
  const index = query.get('index') ?? '';
  if (index !== '' && !(/^\d+$/.test(index) && BigInt(index) < 2n ** 64n)) throw badRequest('Invalid index');
  return {
    minIndex: BigInt(index || 0),
    // Anything that is not positive is the default, as in Consul: ?wait=0 waits five minutes.
    waitMs: Math.min(waitMs > 0 ? waitMs : DEFAULT_WAIT_MS, LONGEST_WAIT_MS),
  };
}

export function readOptions(request: ApiRequest): ReadOptions {
  const { query } = request;
  const waiting = waitOptions(request);
  const stale = query.has('stale');
  const consistent = query.has('consistent');
  if (stale && consistent) throw badRequest('Cannot specify ?stale with ?consistent, conflicting semantics.');
  const cached = query.has('cached');
  if (cached && consistent)
    throw badRequest('Cannot specify ?cached with ?consistent, conflicting semantics.');
  const maxStale = query.get('max_stale');
  if (maxStale) {
    try {
      parseGoDuration(maxStale);
    } catch {
      throw badRequest(`Invalid max_stale value ${JSON.stringify(maxStale)}`);
    }
  }
  return {
    ...waiting,
    consistency: stale || maxStale ? 'stale' : consistent ? 'consistent' : 'leader',
    cached,
  };
}

export interface BlockingContext {
  readonly indexes: IndexBook;
  readonly clock: ControllableClock;
  readonly random: () => number;
  /** Called when the agent stops. */
  readonly ending: Set<() => void>;
}

/** Answers at once, or when the index has passed `minIndex`, or at the end of `wait` plus up to a sixteenth. */
export async function blockingRead<T>(
  context: BlockingContext,
  request: ApiRequest,
  options: ReadOptions,
  topics: () => readonly string[],
  read: () => Reading<T>,
): Promise<Reading<T>> {
  const first = read();
  if (options.minIndex === 0n || BigInt(first.index) > options.minIndex) return first;
  const { index } = first;
  const jitter = options.cached ? 0 : (options.waitMs / 16) * context.random();
  const deadline = context.clock.now() + options.waitMs + jitter;
  return waitForNewer(context, request, options, topics, read, index, deadline);
}

/** Holds no response while it waits: a thousand blocked reads of a large list would need much memory. */
async function waitForNewer<T>(
  context: BlockingContext,
  request: ApiRequest,
  options: ReadOptions,
  topics: () => readonly string[],
  read: () => Reading<T>,
  index: number,
  deadline: number,
): Promise<Reading<T>> {
  while (await waitForChange(context, request, topics(), deadline)) {
    const reading = read();
    if (BigInt(reading.index) > options.minIndex) return reading;
  }
  // At the end of its wait a query answers with the index that it began with, as Consul's do.
  return { ...read(), index };
}

/** True when something changed; false at the deadline, and when the client disconnects or the agent stops. */
export function waitForChange(
  { indexes, clock, ending }: BlockingContext,
  request: ApiRequest,
  topics: readonly string[],
  deadline: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const releases: (() => void)[] = [];
    let settled = false;
    const end = (woken: boolean): void => {
      settled = true;
      for (const release of releases.splice(0)) release();
      resolve(woken);
    };
    const giveUp = (): void => end(false);
    ending.add(giveUp);
    releases.push(
      () => ending.delete(giveUp),
      indexes.watch(topics, () => end(true)),
      clock.after(Math.max(0, deadline - clock.now()), giveUp),
    );
    const forgetGone = request.onGone(giveUp);
    // A client that has already disconnected ends the wait before anything is subscribed.
    if (isTrue(settled)) forgetGone();
    else releases.push(forgetGone);
  });
}

/** A function, because the compiler would narrow a variable that only a callback sets. */
function isTrue(value: boolean): boolean {
  return value;
}
