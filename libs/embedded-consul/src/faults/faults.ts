import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Core } from '../core.js';
import { resetSocket } from '../http/reset-socket.js';

interface StatusFault {
  readonly status: 429 | 500 | 503;
  readonly path: string;
  times: number;
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  429: 'Your IP is issuing too many concurrent connections, please rate limit your calls',
  500: 'rpc error making call: EOF',
  503: 'rate limit reached, try another server',
};

/**
 * Makes the agent misbehave. Each fault stays until `heal()`; several may be on at once.
 *
 * @example
 * ```ts
 * const consul = await EmbeddedConsul.start();
 * consul.faults.status(500, { path: '/v1/health/service', times: 3 });
 * consul.faults.noLeader();
 * consul.faults.heal();
 * ```
 */
export class Faults {
  readonly #core: () => Core;
  readonly #reset: () => void;
  #delayMs = 0;
  /** Settles when hanging requests continue. */
  #hanging: { going: Promise<void>; go: () => void } | undefined;
  #halfOpen = false;
  #resetting = false;
  #statuses: StatusFault[] = [];
  #connectionLimit = Infinity;
  /** @internal Responses are not JSON. */
  garble = false;

  constructor(core: () => Core, reset: () => void) {
    this.#core = core;
    this.#reset = reset;
  }

  /** The servers have no leader: reads and writes answer 500, `stale` and `cached` reads work. */
  noLeader(): void {
    this.#core().distortion.leader = false;
    this.#core().indexes.wakeAll();
  }

  /** The agent loses all state: services, keys, sessions. Connections stay. */
  loseState(): void {
    this.#core().restart(false);
  }

  /** Every connection is reset, and the agent is available again at once, with its data or without. */
  restart({ keepState = true }: { keepState?: boolean } = {}): void {
    this.#reset();
    this.#core().restart(keepState);
  }

  /** Lists of this service, or of all, are empty although instances are registered. */
  emptyLists(service = '*'): void {
    this.#core().distortion.emptyLists.add(service);
    this.#core().indexes.wakeAll();
  }

  /** Every response is delayed by this many milliseconds. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  /** Requests are accepted and not answered until `heal()`, like those of an agent that is stopped (SIGSTOP). */
  hang(): void {
    let go = (): void => undefined;
    const going = new Promise<void>((resolve) => (go = resolve));
    this.#hanging ??= { going, go };
  }

  /** Connections stay open, and nothing on them is ever answered; the same for new ones. */
  halfOpen(): void {
    this.#halfOpen = true;
  }

  /** Every connection is reset, and every new one at its first request. */
  reset(): void {
    this.#resetting = true;
    this.#reset();
  }

  /** Requests whose path begins with this prefix answer with this status, `times` times; default: all, always. */
  status(
    status: StatusFault['status'],
    { path = '/', times = Infinity }: { path?: string; times?: number } = {},
  ): void {
    this.#statuses.push({ status, path, times });
  }

  /** Responses that should be JSON are not. */
  garbage(): void {
    this.garble = true;
  }

  /** The index falls by this amount, as after a restored snapshot. */
  indexGoesBack(by = 1_000_000): void {
    this.#core().distortion.indexShift -= by;
    this.#core().indexes.wakeAll();
  }

  /** The index stays the same, whatever changes. */
  frozenIndex(): void {
    this.#core().distortion.frozenIndex = this.#core().indexes.last;
  }

  /** Every token is refused. */
  denyAcl(): void {
    this.#core().acl.denyEverything = true;
  }

  /** At most this many connections; further ones are closed at once. */
  connectionLimit(connections: number): void {
    this.#connectionLimit = connections;
  }

  /** Ends all faults: hanging requests are answered, and half-open connections are reset. */
  heal(): void {
    if (this.#halfOpen) this.#reset();
    this.#hanging?.go();
    this.#hanging = undefined;
    this.#delayMs = 0;
    this.#halfOpen = this.#resetting = this.garble = false;
    this.#statuses = [];
    this.#connectionLimit = Infinity;
    const { distortion, acl, indexes } = this.#core();
    distortion.leader = true;
    distortion.indexShift = 0;
    distortion.frozenIndex = undefined;
    distortion.emptyLists.clear();
    acl.denyEverything = false;
    indexes.wakeAll();
  }

  /** @internal Whether a new connection may stay. */
  accept(socket: Socket, open: number): boolean {
    if (open < this.#connectionLimit) return true;
    resetSocket(socket);
    return false;
  }

  /** @internal False if the request was answered by a fault, or never will be. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (this.#resetting) {
      resetSocket(request.socket);
      return false;
    }
    if (this.#halfOpen) return false;
    await this.#hanging?.going;
    if (this.#delayMs > 0) await sleep(this.#delayMs, undefined, { ref: false });
    const fault = this.#statuses.find((each) => each.times > 0 && path.startsWith(each.path));
    if (!fault) return true;
    fault.times--;
    response.writeHead(fault.status, {
      'Content-Type': 'text/plain; charset=utf-8',
      ...(fault.status === 500 ? { 'X-Consul-Index': '1' } : { 'Retry-After': '1' }),
    });
    response.end(STATUS_TEXTS[fault.status]);
    return false;
  }
}
