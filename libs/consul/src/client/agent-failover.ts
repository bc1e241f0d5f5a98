import { setMaxListeners } from 'node:events';
import { DiscoveryError } from '@rookery/discovery';
import {
  delay,
  isReachable,
  withAbort,
  withScopedSignal,
  type Clock,
  type RegistrySwitch,
} from '@rookery/discovery/adapter';
import { AgentSwitchedError } from './agent-switched-error.js';
import { BLOCKING } from './connection-budget.js';
import { ConsulError } from './consul-error.js';
import type { Transport, TransportCall, TransportResponse } from './consul-transport.js';
import { FreezeDetector } from './freeze-detector.js';

const PING_INTERVAL_MS = 2_000;
const PING_TIMEOUT_MS = 2_000;

/** Requests about the state of one agent, which the others do not share. */
const AGENT_LOCAL = '/v1/agent/';

/**
 * Several agents of one datacenter: lookups go to the next one while the first is unreachable or frozen, and back to the first as soon
 * as it has a leader. The app stays registered with the first in any case: registered with another one as well, it would be
 * listed twice once the first is back.
 */
export class AgentFailover implements Transport {
  readonly #agents: readonly Transport[];
  readonly #first: Transport;
  readonly #clock: Clock;
  readonly #onSwitch: (change: RegistrySwitch) => void;
  #current = 0;
  #switches = 0;
  #failback: AbortController | undefined;
  readonly #freezeDetector: FreezeDetector;
  /** Aborts the blocking queries at the current agent when that is left. */
  #leaving = leavingController();
  #isClosed = false;

  constructor(
    first: Transport,
    others: readonly Transport[],
    clock: Clock,
    onSwitch: (change: RegistrySwitch) => void,
  ) {
    this.#first = first;
    this.#agents = [first, ...others];
    this.#clock = clock;
    this.#onSwitch = onSwitch;
    this.#freezeDetector = new FreezeDetector({
      clock,
      answers: (withinMs, signal) => this.#answers(this.#agents[this.#current] ?? first, withinMs, signal),
      current: () => this.#current,
      onFrozen: () => this.#leave(),
    });
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
        const agent = this.#agents[used] ?? this.#first;
        return await (BLOCKING.has(call.lane) ? this.#sendBlocking(agent, call) : agent.send(call));
      } catch (error) {
        if (call.signal?.aborted || error instanceof AgentSwitchedError) throw error;
        if (!(error instanceof DiscoveryError)) throw error;
        if (!(await this.#isUnreachable(used, error))) throw error;
        this.#failOver(used, error);
        // A blocking query has to start without its index, and a write may have arrived.
        if (BLOCKING.has(call.lane)) throw new AgentSwitchedError(this.url, error);
        if (call.method !== 'GET' || tries >= this.#agents.length) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#failback?.abort(new Error('the client is closed'));
    this.#freezeDetector.stop();
    await Promise.all(this.#agents.map((agent) => agent.close()));
  }

  #sendBlocking(agent: Transport, call: TransportCall): Promise<TransportResponse> {
    const { signal: leaving } = this.#leaving;
    return this.#freezeDetector.during(() =>
      withScopedSignal(call.signal, (signal) => withAbort(agent.send({ ...call, signal }), leaving)),
    );
  }

  #leave(): void {
    const { url } = this.#agents[this.#current] ?? this.#first;
    const hint = 'It accepts connections: it is overloaded, or frozen';
    this.#failOver(
      this.#current,
      new ConsulError('RK_REGISTRY_UNREACHABLE', `${url} does not answer its pings`, { hint }),
    );
  }

  #failOver(agent: number, reason: DiscoveryError): void {
    if (this.#current !== agent || this.#isClosed) return;
    this.#switchTo((agent + 1) % this.#agents.length, reason);
    // Those of the agent that was left: nothing pings it any more.
    this.#endBlocking(new AgentSwitchedError(this.url, reason));
    if (this.#current === 0 || this.#failback) return;
    this.#failback = new AbortController();
    // It ends when the first agent is back, and rejects only when `close` aborts it.
    this.#failBack(this.#failback.signal).catch(() => undefined);
  }

  #switchTo(next: number, reason?: DiscoveryError): void {
    const { url: from } = this.#agents[this.#current] ?? this.#first;
    this.#current = next;
    this.#switches++;
    const { url: to } = this.#agents[next] ?? this.#first;
    this.#onSwitch({ from, to, reason: reason?.message });
  }

  #endBlocking(reason: DiscoveryError): void {
    this.#leaving.abort(reason);
    this.#leaving = leavingController();
  }

  async #failBack(signal: AbortSignal): Promise<void> {
    do await delay(this.#clock, PING_INTERVAL_MS, signal);
    while (!(await this.#hasLeader(this.#first, signal)));
    this.#failback = undefined;
    if (this.#current === 0) return;
    this.#switchTo(0);
    this.#endBlocking(new AgentSwitchedError(this.#first.url));
  }

  async #isUnreachable(agent: number, error: DiscoveryError): Promise<boolean> {
    if (isReachable(error)) return false;
    if (error.code === 'RK_REGISTRY_UNREACHABLE') return true;
    // The request may have been slow, or its deadline short: the agent is pinged before it is left.
    return !(await this.#hasLeader(this.#agents[agent] ?? this.#first));
  }

  async #hasLeader(agent: Transport, signal?: AbortSignal): Promise<boolean> {
    return this.#ping(agent, PING_TIMEOUT_MS, signal).then(
      // The body is `""` without a leader.
      ({ body }) => body.toString('utf8').trim().length > 2,
      () => false,
    );
  }

  /** Also without a leader, or with an error. */
  async #answers(agent: Transport, withinMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#ping(agent, withinMs, signal).then(
      () => true,
      (error: unknown) => isReachable(error),
    );
  }

  #ping(agent: Transport, deadlineMs: number, signal: AbortSignal | undefined): Promise<TransportResponse> {
    return agent.send({
      method: 'GET',
      path: '/v1/status/leader',
      query: new URLSearchParams(),
      body: undefined,
      // Never behind a request that takes long.
      lane: 'heartbeat',
      deadlineMs,
      signal,
      token: undefined,
      accept: [],
    });
  }
}

/** Every blocking query listens to it. */
function leavingController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
