import {
  backoffPause,
  pause,
  scoped,
  type Clock,
  type Random,
  type RegistrationChange,
} from '@rookery/discovery';
import type { AgentService, HealthCheck } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulError } from '../client/consul-error.js';
import { WatchPosition } from './watch-position.js';

/** What was seen of a registration, to tell later whether it is still so. */
export interface RegistrationSight {
  readonly service: AgentService;
  /** The checks of that service on the agent. */
  readonly checks: readonly HealthCheck[];
  /** The agent's node; undefined when no check tells its name. */
  readonly node: string | undefined;
}

export interface RegistrationWatchOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How long one blocking read waits, in milliseconds. */
  readonly waitMs: number;
}

/** The agent brings the catalog up to date within milliseconds; on a cluster that is busy, within seconds. */
const SETTLING_MS = 2_000;
const QUIET_MS = 500;
const BACKOFF = { base: 5_000, cap: 60_000 };

/**
 * Two blocking reads tell of every change, and cost two requests in each `wait`: the agent's own record of the service
 * (it answers with or without servers), and the catalog's list of the node's checks (what others are shown: it tells of
 * checks that are gone, of maintenance, and of an instance that the agent has and the catalog has not).
 */
export class RegistrationWatch {
  readonly #client: ConsulClient;
  readonly #options: RegistrationWatchOptions;

  constructor(client: ConsulClient, options: RegistrationWatchOptions) {
    this.#client = client;
    this.#options = options;
  }

  async untilChanged(sight: RegistrationSight, signal: AbortSignal): Promise<RegistrationChange> {
    return scoped(signal, (watching) =>
      Promise.race([this.#untilServiceChanged(sight, watching), this.#untilListChanged(sight, watching)]),
    );
  }

  /** An agent that is gone is a reason to look at once; one that only refuses this read is asked again later. */
  async #untilServiceChanged(sight: RegistrationSight, signal: AbortSignal): Promise<'changed'> {
    const { clock, random } = this.#options;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#watchService(sight, signal);
      } catch (error) {
        const code = error instanceof ConsulError ? error.code : undefined;
        const isGone = code === 'RK_REGISTRY_UNREACHABLE' || code === 'RK_REGISTRY_TIMEOUT';
        if (signal.aborted || isGone) throw error;
      }
      await pause(clock, backoffPause(failures, BACKOFF, random), signal);
    }
  }

  async #watchService({ service }: RegistrationSight, signal: AbortSignal): Promise<'changed'> {
    const { waitMs, clock } = this.#options;
    for (let hash = service.ContentHash; ;) {
      const answer = await this.#client.agent.service(service.ID, {
        signal,
        wait: waitMs,
        ...(hash === undefined ? {} : { hash }),
      });
      if (!answer || (hash !== undefined && answer.contentHash !== hash)) return 'changed';
      hash = answer.contentHash;
      // An agent that tells no hash does not block.
      if (hash === undefined) await pause(clock, waitMs, signal);
    }
  }

  /** Whatever fails here is no reason to think that the registration is lost: the agent is the one who knows. */
  async #untilListChanged(sight: RegistrationSight, signal: AbortSignal): Promise<RegistrationChange> {
    const { clock, random } = this.#options;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#watchList(sight, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof ConsulError && !error.retryable) return never(signal);
      }
      await pause(clock, backoffPause(failures, BACKOFF, random), signal);
    }
  }

  async #watchList(sight: RegistrationSight, signal: AbortSignal): Promise<RegistrationChange> {
    const { clock, waitMs } = this.#options;
    const { node } = sight;
    if (node === undefined) return never(signal);
    const wanted = describeChecks(sight.checks);
    const settled = clock.now() + SETTLING_MS;
    let wasListed = false;
    const position = new WatchPosition(this.#client);
    for (;;) {
      const { index } = position;
      const wait = wasListed ? waitMs : Math.max(1, settled - clock.now());
      const answer = await this.#client.health.node(node, {
        signal,
        wait: Math.ceil(wait),
        ownRegistration: true,
        ...(index === undefined ? {} : { index }),
      });
      // Without permission to read the node its checks are an empty list: nothing can be told from that.
      if (answer.body.length === 0) return never(signal);
      const own = answer.body.filter(({ ServiceID }) => ServiceID === sight.service.ID);
      const isListed = describeChecks(own) === wanted;
      if (wasListed && !isListed) return own.length === 0 ? 'unlisted' : 'changed';
      wasListed ||= isListed;
      if (!wasListed) {
        // The catalog is behind the agent, or the agent has been changed since it was looked at.
        const held = Object.values((await this.#client.agent.checks.list({ signal })).body);
        const stillHeld = held.filter(({ ServiceID }) => ServiceID === sight.service.ID);
        if (describeChecks(stillHeld) !== wanted) return 'changed';
        if (clock.now() >= settled) return 'unlisted';
      }
      const isQuiet = answer.index === index;
      position.heard(answer.index, false);
      // Every check of the node wakes this read, not only ours.
      if (wasListed && !isQuiet) await pause(clock, QUIET_MS, signal);
    }
  }
}

function describeChecks(checks: readonly HealthCheck[]): string {
  return checks
    .map(({ CheckID, Name }) => `${CheckID} ${Name}`)
    .sort()
    .join('\n');
}

/** Settles only when the signal aborts. */
function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new Error('not watched any more', { cause: signal.reason }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
}
