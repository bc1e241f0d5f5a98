import { DiscoveryError, pause, systemClock, type Clock } from '@rookery/discovery';
import type { Lane } from './connection-budget.js';
import type { Transport, TransportAnswer, TransportCall } from './consul-transport.js';

const LOOK_EVERY_MS = 2_000;
const LOOK_DEADLINE_MS = 2_000;

/** Agent-local: what is registered with one agent is not known to the next. */
const OF_THE_FIRST = '/v1/agent/';
/** It may be the call that was slow, or its deadline short: the agent is asked before it is left. */
const DOUBTFUL: ReadonlySet<string> = new Set(['RK_REGISTRY_TIMEOUT', 'RK_REGISTRY_NO_LEADER']);
const BLOCKING: ReadonlySet<Lane> = new Set(['list', 'watch', 'own-watch']);

/**
 * Several agents of one datacenter: what is looked up is asked of the next one while the first is away, and of the first
 * again as soon as it has a leader. The app stays registered with the first, whatever happens to it: registered with
 * another one too, it would be listed twice once the first is back.
 */
export class AgentSwitch implements Transport {
  readonly #agents: readonly Transport[];
  readonly #first: Transport;
  readonly #clock: Clock;
  #current = 0;
  #switches = 0;
  #returning: AbortController | undefined;
  #isClosed = false;

  constructor(first: Transport, others: readonly Transport[], clock: Clock = systemClock) {
    this.#first = first;
    this.#agents = [first, ...others];
    this.#clock = clock;
  }

  /** All of them: what is said of one is to be found again when another is asked. */
  get url(): string {
    return this.#agents.map(({ url }) => url).join(', ');
  }

  get budget(): Transport['budget'] {
    return this.#first.budget;
  }

  get lostConnections(): number {
    return this.#agents.reduce((sum, { lostConnections }) => sum + lostConnections, this.#switches);
  }

  async send(call: TransportCall): Promise<TransportAnswer> {
    if (call.path.startsWith(OF_THE_FIRST)) return this.#first.send(call);
    for (let tries = 1; ; tries++) {
      const used = this.#current;
      try {
        return await (this.#agents[used] ?? this.#first).send(call);
      } catch (error) {
        if (call.signal?.aborted || !(await this.#isGone(used, error))) throw error;
        this.#leave(used);
        // A blocking query begins anew, and a write may have arrived.
        const isRepeatable = call.method === 'GET' && !BLOCKING.has(call.lane);
        if (!isRepeatable || tries >= this.#agents.length) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#returning?.abort(new Error('the client is closed'));
    await Promise.all(this.#agents.map((agent) => agent.close()));
  }

  #leave(agent: number): void {
    if (this.#current !== agent || this.#isClosed) return;
    this.#current = (agent + 1) % this.#agents.length;
    this.#switches++;
    if (this.#current === 0 || this.#returning) return;
    this.#returning = new AbortController();
    // Ends by itself when the first is back, and by `close`.
    this.#return(this.#returning.signal).catch(() => undefined);
  }

  async #return(signal: AbortSignal): Promise<void> {
    do await pause(this.#clock, LOOK_EVERY_MS, signal);
    while (!(await this.#isWell(this.#first, signal)));
    this.#returning = undefined;
    if (this.#current === 0) return;
    this.#current = 0;
    this.#switches++;
  }

  async #isGone(agent: number, error: unknown): Promise<boolean> {
    if (!(error instanceof DiscoveryError)) return false;
    if (error.code === 'RK_REGISTRY_UNREACHABLE') return true;
    return DOUBTFUL.has(error.code) && !(await this.#isWell(this.#agents[agent] ?? this.#first));
  }

  async #isWell(agent: Transport, signal?: AbortSignal): Promise<boolean> {
    const look: TransportCall = {
      method: 'GET',
      path: '/v1/status/leader',
      query: new URLSearchParams(),
      body: undefined,
      lane: 'plain',
      deadlineMs: LOOK_DEADLINE_MS,
      signal,
      token: undefined,
      accept: [],
    };
    return agent.send(look).then(
      // `""` while there is none.
      ({ body }) => body.toString('utf8').trim().length > 2,
      () => false,
    );
  }
}
