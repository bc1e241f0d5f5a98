import {
  backoffDelay,
  delay,
  withScopedSignal,
  type Clock,
  type Random,
  type RegistrationChange,
} from '@rookery/discovery/adapter';
import type { InstanceStatus } from '@rookery/discovery';
import type { AgentService, HealthCheck } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulError } from '../client/consul-error.js';
import { worstStatus } from '../client/worst-status.js';
import { WatchPosition } from '../client/watch-position.js';
import { spreadAfterRead } from './held-read.js';

/** A registration as it was read, to detect later whether it has changed. */
export interface ObservedRegistration {
  readonly service: AgentService;
  /** The checks of that service on the agent. */
  readonly checks: readonly HealthCheck[];
  /** The agent's node; undefined when no check has its name. */
  readonly node: string | undefined;
  /** The version of the token when it was read; undefined: the token never changes. */
  readonly tokenVersion: number | undefined;
}

export interface RegistrationWatchOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How long one blocking read waits, in milliseconds. */
  readonly waitMs: number;
  /** Called with the health of the service as clients see it. */
  readonly onStatus: (status: InstanceStatus) => void;
}

/** The agent updates the catalog within milliseconds; in a busy cluster, within seconds. */
const CATALOG_SYNC_MS = 2_000;
/**
 * Every check of the node wakes the read, and one that is asked after any check of the datacenter has changed returns at once: this bounds its
 * rate. Without news of the own registration the pause doubles, since in a busy datacenter no such read ever waits.
 */
const PAUSE_MS = 500;
const MAX_PAUSE_MS = 16_000;
/** When the leader dies, the reads of all apps of a datacenter fail together. */
const BACKOFF = { base: 20_000, cap: 60_000 };
/** How often the agent's own checks are read where the catalog's cannot be. */
const POLL_MS = 60_000;

/**
 * Detects every change with two blocking reads, at the cost of two requests in each `wait`: the agent's own record of the
 * service, which is available without servers, too; and the catalog's checks of the node, which show removed checks,
 * maintenance, and an instance that the agent holds but the catalog does not list.
 */
export class RegistrationWatch {
  readonly #client: ConsulClient;
  readonly #options: RegistrationWatchOptions;

  constructor(client: ConsulClient, options: RegistrationWatchOptions) {
    this.#client = client;
    this.#options = options;
  }

  async waitForChange(observed: ObservedRegistration, signal: AbortSignal): Promise<RegistrationChange> {
    return withScopedSignal(signal, (watching) =>
      Promise.race([
        this.#untilServiceChanged(observed, watching),
        this.#untilChecksChanged(observed, watching),
      ]),
    );
  }

  /** Rejects when the agent is unreachable; another error only delays the next read. */
  async #untilServiceChanged(observed: ObservedRegistration, signal: AbortSignal): Promise<'changed'> {
    const { clock, random } = this.#options;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#watchService(observed, signal);
      } catch (error) {
        const code = error instanceof ConsulError ? error.code : undefined;
        const isGone = code === 'RK_REGISTRY_UNREACHABLE' || code === 'RK_REGISTRY_TIMEOUT';
        if (signal.aborted || isGone) throw error;
      }
      await delay(clock, backoffDelay(failures, BACKOFF, random), signal);
    }
  }

  async #watchService({ service }: ObservedRegistration, signal: AbortSignal): Promise<'changed'> {
    const { waitMs, clock } = this.#options;
    for (let hash = service.ContentHash; ;) {
      const sentAt = clock.now();
      const response = await this.#client.agent.service(service.ID, {
        signal,
        wait: waitMs,
        ...(hash === undefined ? {} : { hash }),
      });
      if (!response || (hash !== undefined && response.contentHash !== hash)) return 'changed';
      hash = response.contentHash;
      // An agent that returns no hash does not block; and what is between may not hold a request.
      if (hash === undefined) await delay(clock, waitMs, signal);
      else if (clock.now() - sentAt < waitMs) await delay(clock, PAUSE_MS, signal);
    }
  }

  /** A failed read of the catalog does not mean that the registration is lost: the agent decides that. */
  async #untilChecksChanged(
    observed: ObservedRegistration,
    signal: AbortSignal,
  ): Promise<RegistrationChange> {
    const { clock, random } = this.#options;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#watchChecks(observed, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof ConsulError && !error.retryable) return never(signal);
      }
      await delay(clock, backoffDelay(failures, BACKOFF, random), signal);
    }
  }

  async #watchChecks(observed: ObservedRegistration, signal: AbortSignal): Promise<RegistrationChange> {
    const { clock, random, waitMs, onStatus } = this.#options;
    const { node } = observed;
    if (node === undefined) return this.#pollAgent(observed, signal);
    const expected = describeChecks(observed.checks);
    const syncedBy = clock.now() + CATALOG_SYNC_MS;
    let wasListed = false;
    const position = new WatchPosition(this.#client);
    let lastOwn = '';
    let pauseMs = PAUSE_MS;
    for (;;) {
      const { index } = position;
      const sentAt = clock.now();
      const wait = wasListed ? waitMs : Math.max(1, syncedBy - clock.now());
      const response = await this.#client.health.node(node, {
        signal,
        wait: Math.ceil(wait),
        ownRegistration: true,
        ...(index === undefined ? {} : { index }),
      });
      const spreadMs = index === undefined ? spreadAfterRead(clock.now() - sentAt, random) : 0;
      // Without permission to read the node its list of checks is empty, which has no meaning.
      if (response.body.length === 0) return this.#pollAgent(observed, signal);
      const own = response.body.filter(({ ServiceID }) => ServiceID === observed.service.ID);
      const isListed = describeChecks(own) === expected;
      if (wasListed && !isListed) return own.length === 0 ? 'unlisted' : 'changed';
      wasListed ||= isListed;
      if (wasListed) onStatus(worstStatus(own));
      else {
        // The catalog lags behind the agent, or the registration has changed since it was read.
        if (describeChecks(await this.#heldChecks(observed, signal)) !== expected) return 'changed';
        if (clock.now() >= syncedBy) return 'unlisted';
      }
      const isUnchanged = response.index === index;
      position.advance(response.index, false);
      const news = own.map(({ CheckID, Status }) => `${CheckID} ${Status}`).join('\n');
      pauseMs = isUnchanged || news !== lastOwn ? PAUSE_MS : Math.min(MAX_PAUSE_MS, 2 * pauseMs);
      lastOwn = news;
      // One that has nothing new has waited, unless what is between does not hold a request.
      const hasWaited = isUnchanged && clock.now() - sentAt >= wait;
      if (wasListed && !hasWaited) await delay(clock, pauseMs + spreadMs, signal);
    }
  }

  /** Without the catalog's checks: the agent's own, which no read blocks on. */
  async #pollAgent(observed: ObservedRegistration, signal: AbortSignal): Promise<RegistrationChange> {
    const { clock, onStatus } = this.#options;
    const expected = describeChecks(observed.checks);
    for (;;) {
      await delay(clock, POLL_MS, signal);
      const held = await this.#heldChecks(observed, signal);
      if (describeChecks(held) !== expected) return 'changed';
      onStatus(worstStatus(held));
    }
  }

  async #heldChecks({ service }: ObservedRegistration, signal: AbortSignal): Promise<HealthCheck[]> {
    const { body } = await this.#client.agent.checks.list({ signal });
    return Object.values(body).filter(({ ServiceID }) => ServiceID === service.ID);
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
    const abort = (): void => reject(new Error('no longer watched', { cause: signal.reason }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
}
