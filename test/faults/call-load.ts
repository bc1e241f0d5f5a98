import { setTimeout as sleep } from 'node:timers/promises';
import type { CallReport } from '@rookery/consul';

export interface LoadedCall {
  /** Milliseconds since the load began. */
  readonly at: number;
  readonly tookMs: number;
  readonly failure: string | undefined;
  readonly report: CallReport | undefined;
}

/** Calls at a steady rate, however slow the responses are (an open loop), to avoid coordinated omission. */
export class CallLoad {
  readonly calls: LoadedCall[] = [];
  readonly #send: (n: number) => Promise<CallReport | undefined>;
  readonly #burst: number;
  #isStopped = false;
  #running: Promise<void> | undefined;

  /** @param burst how many calls may begin at once, to make up for a pause of the machine. Default: all that are due */
  constructor(send: (n: number) => Promise<CallReport | undefined>, burst = Infinity) {
    this.#send = send;
    this.#burst = burst;
  }

  start(perSecond: number): this {
    this.#running = this.#run(perSecond);
    return this;
  }

  /** Resolves when every call that was started has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async runFor(perSecond: number, milliseconds: number): Promise<this> {
    this.start(perSecond);
    await sleep(milliseconds);
    await this.stop();
    return this;
  }

  get failures(): readonly string[] {
    return this.calls.flatMap(({ failure }) => failure ?? []);
  }

  /** Attempts per call. */
  get amplification(): number {
    return this.attempts().length / this.calls.length;
  }

  /** The instance ids of all attempts of the calls that began in this period. */
  attempts(from = 0, to = Infinity): readonly string[] {
    return this.calls
      .filter(({ at }) => at >= from && at < to)
      .flatMap(({ report }) => report?.attempts.map(({ instance }) => instance) ?? []);
  }

  /** The quantile of the latency in milliseconds, for a rank from 0 to 1. */
  quantile(share: number, from = 0, to = Infinity): number {
    const sorted = this.calls
      .filter(({ at }) => at >= from && at < to)
      .map(({ tookMs }) => tookMs)
      .sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  }

  async #run(perSecond: number): Promise<void> {
    const begun = performance.now();
    const underWay: Promise<void>[] = [];
    for (let n = 0; !this.#isStopped;) {
      const due = ((performance.now() - begun) / 1_000) * perSecond;
      for (let begin = 0; n < due && begin < this.#burst; begin++) underWay.push(this.#call(n++, begun));
      await sleep(2);
    }
    await Promise.all(underWay);
  }

  async #call(n: number, begun: number): Promise<void> {
    const startedAt = performance.now();
    let failure: string | undefined;
    let report: CallReport | undefined;
    try {
      report = await this.#send(n);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
      report = (error as { call?: CallReport }).call;
    }
    this.calls.push({ at: startedAt - begun, tookMs: performance.now() - startedAt, failure, report });
  }
}
