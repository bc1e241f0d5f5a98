import { DiscoveryError } from '@rookery/discovery';
import { delay, isReachable, systemClock, type Clock } from '@rookery/discovery/adapter';
import type { Lane } from './connection-budget.js';
import type { Transport, TransportCall, TransportResponse } from './consul-transport.js';

const PING_INTERVAL_MS = 2_000;
const PING_TIMEOUT_MS = 2_000;

/** Requests about the state of one agent, which the others do not share. */
const AGENT_LOCAL = '/v1/agent/';
const BLOCKING: ReadonlySet<Lane> = new Set(['list', 'watch', 'own-watch']);

/**
 * Several agents of one datacenter: lookups go to the next one while the first is unreachable, and back to the first as soon
 * as it has a leader. The app stays registered with the first in any case: registered with another one as well, it would be
 * listed twice once the first is back.
 */
export class AgentFailover implements Transport {
  readonly #agents: readonly Transport[];
  readonly #first: Transport;
  readonly #clock: Clock;
  #current = 0;
  #switches = 0;
  #failback: AbortController | undefined;
  #isClosed = false;

  constructor(first: Transport, others: readonly Transport[], clock: Clock = systemClock) {
    this.#first = first;
    this.#agents = [first, ...others];
    this.#clock = clock;
  }

  /** All of them, so that what is cached for one is found again when another is in use. */
  get url(): string {
    return this.#agents.map(({ url }) => url).join(', ');
  }

  get budget(): Transport['budget'] {
    return this.#first.budget;
  }

  get disconnects(): number {
    return this.#agents.reduce((sum, { disconnects }) => sum + disconnects, this.#switches);
  }

  async send(call: TransportCall): Promise<TransportResponse> {
    if (call.path.startsWith(AGENT_LOCAL)) return this.#first.send(call);
    for (let tries = 1; ; tries++) {
      const used = this.#current;
      try {
        return await (this.#agents[used] ?? this.#first).send(call);
      } catch (error) {
        if (call.signal?.aborted || !(await this.#isUnreachable(used, error))) throw error;
        this.#failOver(used);
        // A blocking query has to start without its index, and a write may have arrived.
        const isRepeatable = call.method === 'GET' && !BLOCKING.has(call.lane);
        if (!isRepeatable || tries >= this.#agents.length) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#failback?.abort(new Error('the client is closed'));
    await Promise.all(this.#agents.map((agent) => agent.close()));
  }

  #failOver(agent: number): void {
    if (this.#current !== agent || this.#isClosed) return;
    this.#current = (agent + 1) % this.#agents.length;
    this.#switches++;
    if (this.#current === 0 || this.#failback) return;
    this.#failback = new AbortController();
    // It ends when the first agent is back, and rejects only when `close` aborts it.
    this.#failBack(this.#failback.signal).catch(() => undefined);
  }

  async #failBack(signal: AbortSignal): Promise<void> {
    do await delay(this.#clock, PING_INTERVAL_MS, signal);
    while (!(await this.#hasLeader(this.#first, signal)));
    this.#failback = undefined;
    if (this.#current === 0) return;
    this.#current = 0;
    this.#switches++;
  }

  async #isUnreachable(agent: number, error: unknown): Promise<boolean> {
    if (!(error instanceof DiscoveryError) || isReachable(error)) return false;
    if (error.code === 'RK_REGISTRY_UNREACHABLE') return true;
    // The request may have been slow, or its deadline short: the agent is pinged before it is left.
    return !(await this.#hasLeader(this.#agents[agent] ?? this.#first));
  }

  async #hasLeader(agent: Transport, signal?: AbortSignal): Promise<boolean> {
    const ping: TransportCall = {
      method: 'GET',
      path: '/v1/status/leader',
      query: new URLSearchParams(),
      body: undefined,
      lane: 'plain',
      deadlineMs: PING_TIMEOUT_MS,
      signal,
      token: undefined,
      accept: [],
    };
    return agent.send(ping).then(
      // The body is `""` without a leader.
      ({ body }) => body.toString('utf8').trim().length > 2,
      () => false,
    );
  }
}
