import type { VirtualClock } from './virtual-clock.js';

/** The behaviour of an instance from some moment on. */
export interface Behaviour {
  /** Added to each response without occupying a worker, in milliseconds. */
  readonly extraMs?: number;
  /** Multiplies its service time. */
  readonly slowdown?: number;
  /** `503` answers at once; `refuse`: nothing listens. */
  readonly fails?: '503' | 'refuse';
  /** In place of what it would report of its load; an empty one: nothing. */
  readonly report?: string;
}

export interface SimulatedAnswer {
  readonly status: number;
  /** The header `endpoint-load-metrics`. */
  readonly load?: string;
}

export interface InstanceModel {
  /** Concurrent requests; the others wait in order. */
  readonly workers: number;
  /** Mean service time: three quarters of it fixed, the rest exponentially distributed. */
  readonly serviceMs: number;
}

const NETWORK_MS = 0.5;
const FAILS_AFTER_MS = 0.1;

/** A server: a few workers and a queue. */
export class SimulatedInstance {
  behaviour: Behaviour = {};
  /** Requests that it received. */
  requests = 0;
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #model: InstanceModel;
  readonly #speed: number;
  readonly #queue: (() => void)[] = [];
  #busy = 0;

  /** @param speed of its work: 0.5 takes twice as long */
  constructor(clock: VirtualClock, random: () => number, model: InstanceModel, speed = 1) {
    this.#clock = clock;
    this.#random = random;
    this.#model = model;
    this.#speed = speed;
  }

  /** The requests that it has, relative to how fast it works. */
  get backlog(): number {
    return (this.#busy + this.#queue.length + 1) / this.#speed;
  }

  handle(): Promise<SimulatedAnswer> {
    this.requests++;
    const { fails, extraMs = 0 } = this.behaviour;
    if (fails !== undefined) return this.#fail(fails);
    return new Promise((resolve) => {
      const answer = (): void => {
        const load = this.report();
        this.#clock.after(extraMs + NETWORK_MS, () => resolve({ status: 200, load }));
      };
      this.#queue.push(() => this.#work(answer));
      this.#next();
    });
  }

  #next(): void {
    if (this.#busy >= this.#model.workers) return;
    const work = this.#queue.shift();
    if (!work) return;
    this.#busy++;
    work();
  }

  #work(done: () => void): void {
    const { serviceMs } = this.#model;
    const { slowdown = 1 } = this.behaviour;
    const takes = ((serviceMs * (0.75 - 0.25 * Math.log(1 - this.#random()))) / this.#speed) * slowdown;
    this.#clock.after(takes, () => {
      this.#busy--;
      done();
      this.#next();
    });
  }

  /** What a response would say now. */
  report(): string {
    const { report } = this.behaviour;
    if (report !== undefined) return report;
    return `TEXT named_metrics.in_flight=${this.#busy + this.#queue.length}`;
  }

  #fail(how: '503' | 'refuse'): Promise<SimulatedAnswer> {
    return new Promise((resolve, reject) => {
      this.#clock.after(FAILS_AFTER_MS, () => {
        if (how === '503') resolve({ status: 503 });
        else reject(connectionRefused());
      });
    });
  }
}

/** As of a socket to a port on which nothing listens. */
export function connectionRefused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' });
}
