import type { InterceptingListener, InterceptorOptions, Metadata, NextCall, status } from '@grpc/grpc-js';
import { DiscoveryError } from '@rookery/discovery';
import {
  errorMessage,
  type CancelSignal,
  type ChannelCall,
  type IncomingCall,
  type RpcDescription,
  type TargetPicks,
} from '@rookery/discovery/adapter';
import { CallResponse } from './call-response.js';
import { setShape } from './call-shape.js';
import { startCall } from './call-start.js';
import { installed } from './experimental-api.js';
import { PREVIOUS_ATTEMPTS } from './service-picker.js';
import { UnfinishedResponse, type RepeatableCall } from './unfinished-response.js';

type Call = ReturnType<NextCall>;
type MessageContext = Parameters<Call['sendMessageWithContext']>[0];

const NO_CONTEXT: MessageContext = {};

export interface InterceptedCallOptions {
  readonly picks: TargetPicks;
  /** In milliseconds since the epoch; Infinity: none. */
  readonly deadline: number;
  readonly isStream: boolean;
  /** The request that the app is processing. */
  readonly incoming: IncomingCall | undefined;
  /** The calls of the same client that have not ended, for the app to end; undefined: the app does not own the client. */
  readonly open: OpenCalls | undefined;
}

/** The calls of clients that have begun, and not ended. */
export type OpenCalls = Set<Pick<Call, 'cancelWithStatus'>>;

/**
 * A call to a service by its name: with its deadline, what travels on, the limits of the service, telemetry, and a second attempt where a response broke. It
 * overrides what `InterceptingCall` would ask a requester for, which is less work for each call.
 */
export class InterceptedCall extends installed.InterceptingCall implements RepeatableCall, RpcDescription {
  readonly #own: InterceptedCallOptions;
  readonly #options: InterceptorOptions;
  readonly #nextCall: NextCall;
  /** The one that is under way, or would be. */
  #current: Call;
  #metadata: Metadata | undefined;
  /** False: it waits to be admitted. */
  #hasBegun = false;
  #hasMessage = false;
  #message: unknown;
  #context: MessageContext = NO_CONTEXT;
  #isHalfClosed = false;
  #isReading = false;
  #isCancelled = false;
  #leaving: AbortController | undefined;

  /** @param options with its deadline */
  constructor(own: InterceptedCallOptions, options: InterceptorOptions, nextCall: NextCall) {
    const first = nextCall(options);
    super(first);
    this.#own = own;
    this.#options = options;
    this.#nextCall = nextCall;
    this.#current = first;
  }

  get method(): string {
    return this.#options.method_definition.path.slice(1);
  }

  carries(name: string): boolean {
    return (this.#metadata?.get(name).length ?? 0) > 0;
  }

  override start(given: Metadata, listener: Partial<InterceptingListener> = {}): void {
    const { picks, isStream, incoming, open } = this.#own;
    // It is the caller's, for more calls than this one.
    const metadata = given.clone();
    this.#metadata = metadata;
    const call = picks.call(this);
    if (call) addContext(metadata, call.headers);
    if (incoming?.context) addContext(metadata, incoming.context.headers);
    setShape(metadata, isStream);
    const departure = incoming?.departure;
    const heard = departure ? this.#until(departure, listener) : listener;
    open?.add(this);
    const onEnd = open && (() => open.delete(this));
    const response =
      !call && !onEnd && isWhole(heard) ? heard : new CallResponse(heard, { call, isStream, onEnd });
    const mayRepeat = !isStream && picks.settings.retries > 0;
    const held = mayRepeat ? new UnfinishedResponse(response, this) : response;
    if (call) this.#await(call, metadata, response, held);
    else this.#begin(metadata, held);
  }

  override sendMessageWithContext(context: MessageContext, message: unknown): void {
    this.#hasMessage = true;
    this.#message = message;
    this.#context = context;
    if (this.#hasBegun) this.#current.sendMessageWithContext(context, message);
  }

  override sendMessage(message: unknown): void {
    this.sendMessageWithContext(NO_CONTEXT, message);
  }

  override halfClose(): void {
    this.#isHalfClosed = true;
    if (this.#hasBegun) this.#current.halfClose();
  }

  /** Streams are read from a message at a time, and asked for the first one before they begin. */
  override startRead(): void {
    this.#isReading = true;
    if (this.#hasBegun) this.#current.startRead();
  }

  override getPeer(): string {
    return this.#current.getPeer();
  }

  override cancelWithStatus(status: status, details: string): void {
    this.#isCancelled = true;
    this.#leaving?.abort(new Error(details));
    this.#current.cancelWithStatus(status, details);
  }

  repeat(listener: InterceptingListener): boolean {
    const metadata = this.#metadata;
    if (!metadata || this.#isCancelled || !this.#own.picks.takeRetry()) return false;
    try {
      this.#current = this.#nextCall(this.#options);
    } catch {
      // Its channel has been closed meanwhile: then the first end is the last one.
      return false;
    }
    metadata.set(PREVIOUS_ATTEMPTS, '1');
    this.#current.start(metadata, listener);
    this.#current.sendMessage(this.#message);
    this.#current.halfClose();
    return true;
  }

  /** Ends it when the caller of the request that the app is processing is gone. */
  #until(departure: CancelSignal, listener: Partial<InterceptingListener>): Partial<InterceptingListener> {
    const leave = (): void =>
      this.cancelWithStatus(installed.status.CANCELLED, errorMessage(departure.reason));
    if (departure.aborted) process.nextTick(leave);
    else departure.addEventListener('abort', leave, { once: true });
    return {
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata?.(metadata),
      onReceiveMessage: (message: unknown) => listener.onReceiveMessage?.(message),
      onReceiveStatus: (status) => {
        departure.removeEventListener('abort', leave);
        listener.onReceiveStatus?.(status);
      },
    };
  }

  #await(
    call: ChannelCall,
    metadata: Metadata,
    response: InterceptingListener,
    held: InterceptingListener,
  ): void {
    if (call.mayWait) this.#leaving = new AbortController();
    const { deadline } = this.#own;
    const signal = this.#leaving?.signal;
    const begin = (hasWaited: boolean): void => {
      if (hasWaited) this.#renew();
      this.#begin(metadata, held);
    };
    startCall(call, { next: this.#current, listener: response, deadline, signal, begin });
  }

  /**
   * A channel that was closed meanwhile would never end what was made before, and refuses what is made now.
   *
   * @throws DiscoveryError `RK_SHUT_DOWN` when it is closed
   */
  #renew(): void {
    const before = this.#current;
    try {
      this.#current = this.#nextCall(this.#options);
    } catch (error) {
      throw new DiscoveryError('RK_SHUT_DOWN', 'the channel was closed while the call waited', {
        cause: error,
      });
    }
    before.cancelWithStatus(installed.status.CANCELLED, 'made anew');
  }

  #begin(metadata: Metadata, listener: InterceptingListener): void {
    this.#hasBegun = true;
    this.#current.start(metadata, listener);
    if (this.#hasMessage) this.#current.sendMessageWithContext(this.#context, this.#message);
    if (this.#isReading) this.#current.startRead();
    if (this.#isHalfClosed) this.#current.halfClose();
  }
}

/** Another interceptor may leave some of it out. */
function isWhole(listener: Partial<InterceptingListener>): listener is InterceptingListener {
  return !!(listener.onReceiveMetadata && listener.onReceiveMessage && listener.onReceiveStatus);
}

/** What the caller has set stays. */
function addContext(metadata: Metadata, headers: readonly string[]): void {
  for (let n = 0; n + 1 < headers.length; n += 2) {
    const name = headers[n] ?? '';
    const value = headers[n + 1] ?? '';
    if (!isMetadata(name, value) || metadata.get(name).length > 0) continue;
    metadata.set(name, value);
  }
}

/** HTTP takes more than gRPC does: what it would refuse stays out. A name with that ending has bytes as its value. */
function isMetadata(name: string, value: string): boolean {
  return /^[0-9a-z_.-]+$/.test(name) && !name.endsWith('-bin') && /^[\x20-\x7e]*$/.test(value);
}
