import { ADDRESS_HEADER, headerText, LOAD_FORMAT_HEADER, SERVICE_HEADER } from '../calling/call-headers.js';
import type { IncomingHttpHeaders } from 'node:http';
import type { IncomingCall } from '../calling/incoming-call.js';
import { CancelSource } from '../timing/cancel-source.js';
import type { Clock } from '../timing/clock.js';
import type { ContextSettings } from './context-options.js';
import { isToldOver, type LoadExposure } from './load/load-exposure.js';
import type { LoadReport } from './load/load-report.js';
import type { LoadReporter } from './load/load-reporter.js';
import { ReceivedContext, type ReceivedHeaders } from './received-context.js';

export interface CallReceiverOptions {
  /** What this app is registered as; an app without a name accepts every call. */
  readonly names: readonly string[];
  /** Whether this app is registered at an address, `host:port`. */
  readonly isAdvertised: (address: string) => boolean;
  readonly clock: Clock;
  /** What travels on to the calls that are made for a call; undefined: nothing. */
  readonly context?: ContextSettings | undefined;
  /** What is under way, and what it costs. */
  readonly load?: LoadReporter | undefined;
  readonly loadReports?: LoadExposure | undefined;
}

/** Reads what a caller with Rookery sends along, on any transport. */
export class CallReceiver {
  /** The names of this app, for messages. */
  readonly names: string;
  readonly #own: ReadonlySet<string>;
  readonly #options: CallReceiverOptions;

  constructor(options: CallReceiverOptions) {
    this.#options = options;
    this.#own = new Set(options.names.map(headerText));
    this.names = [...this.#own].join(', ');
  }

  /**
   * The service that the caller means, where it is not this one: this address was that service's before, and the caller's list is not yet up to date
   * (istio#20676). A call that was sent to another address came through a proxy.
   *
   * @param isLocal whether the call came to an address, besides those that this app is registered at
   */
  misdirected(
    headers: ReceivedHeaders,
    isLocal: (address: string) => boolean = () => false,
  ): string | undefined {
    const { [SERVICE_HEADER]: service, [ADDRESS_HEADER]: address } = headers;
    if (typeof service !== 'string' || typeof address !== 'string') return undefined;
    if (this.#own.size === 0 || this.#own.has(service)) return undefined;
    return isLocal(address) || this.#options.isAdvertised(address) ? service : undefined;
  }

  /**
   * @param deadline by the clock; Infinity: the caller did not say
   * @returns undefined: there is neither a deadline, nor anything that travels on
   */
  receive(headers: ReceivedHeaders, deadline: number): ReceivedCall | undefined {
    const { context } = this.#options;
    if (deadline === Infinity && !context) return undefined;
    return new ReceivedCall(
      deadline,
      context && new ReceivedContext(headers, context),
      context?.cancelWithClient,
    );
  }

  /** How many milliseconds from now, as a deadline by the clock. */
  deadlineIn(milliseconds: number): number {
    return this.#options.clock.now() + milliseconds;
  }

  /** What counts the calls; undefined: they are not counted, since no caller is told. */
  get counter(): Pick<LoadReporter, 'begin' | 'end'> | undefined {
    const { load, loadReports = 'none' } = this.#options;
    return loadReports === 'none' ? undefined : load;
  }

  /**
   * A call has come.
   *
   * @returns to be called with how it ended; undefined: calls are not counted
   */
  begin(): ((isFailure: boolean) => void) | undefined {
    const { counter } = this;
    if (!counter) return undefined;
    counter.begin();
    let isOver = false;
    return (isFailure) => {
      if (isOver) return;
      isOver = true;
      counter.end(isFailure);
    };
  }

  /**
   * @param headers of the call, by which a proxy is known
   * @param address of the caller's end of the connection; undefined: a socket of this host
   * @returns undefined: a caller there is not told
   */
  loadReport(headers: IncomingHttpHeaders, address: string | undefined): LoadReport | undefined {
    const { load, loadReports = 'none' } = this.#options;
    return isToldOver(loadReports, headers, address) ? load?.report() : undefined;
  }

  /**
   * The value of the header `endpoint-load-metrics`.
   *
   * @param address as in `loadReport`
   * @returns undefined: the caller did not ask for this format, or is not told
   */
  loadHeader(headers: IncomingHttpHeaders, address: string | undefined): (() => string) | undefined {
    const { load, loadReports = 'none' } = this.#options;
    const { [LOAD_FORMAT_HEADER]: formats } = headers;
    if (!load || typeof formats !== 'string' || !/^\s*TEXT\b/i.test(formats)) return undefined;
    return isToldOver(loadReports, headers, address) ? () => load.header() : undefined;
  }

  isPast({ deadline }: IncomingCall): boolean {
    return deadline <= this.#options.clock.now();
  }
}

/** A call that this app is processing. */
export class ReceivedCall implements IncomingCall {
  isOver = false;
  readonly deadline: number;
  readonly context: ReceivedContext | undefined;
  readonly departure: CancelSource | undefined;

  constructor(deadline: number, context: ReceivedContext | undefined, cancelsWithClient = false) {
    this.deadline = deadline;
    this.context = context;
    this.departure = cancelsWithClient ? new CancelSource() : undefined;
  }

  /** @param isAnswered false: its client went away before there was an answer */
  end(isAnswered: boolean): void {
    // A server of gRPC says of each call that it is cancelled, also when it has been answered.
    if (this.isOver) return;
    this.isOver = true;
    if (!isAnswered) this.departure?.abort(new Error('the client of the incoming request went away'));
  }
}
