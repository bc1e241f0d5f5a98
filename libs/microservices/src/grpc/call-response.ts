import type { InterceptingListener, Metadata, StatusObject } from '@grpc/grpc-js';
import type { ChannelCall } from '@rookery/discovery/adapter';
import { errorOf, isLocal } from './call-status.js';
import { installed } from './experimental-api.js';

/** Passes a response on, and tells the limits of the service and telemetry how the call ended. */
export class CallResponse implements InterceptingListener {
  readonly #listener: Partial<InterceptingListener>;
  readonly #call: ChannelCall | undefined;
  readonly #isStream: boolean;
  readonly #onEnd: (() => void) | undefined;

  constructor(
    listener: Partial<InterceptingListener>,
    told: {
      /** Undefined: there are neither limits nor telemetry. */
      readonly call: ChannelCall | undefined;
      readonly isStream: boolean;
      readonly onEnd: (() => void) | undefined;
    },
  ) {
    this.#listener = listener;
    this.#call = told.call;
    this.#isStream = told.isStream;
    this.#onEnd = told.onEnd;
  }

  onReceiveMetadata(metadata: Metadata): void {
    if (this.#isStream) this.#call?.answered();
    this.#listener.onReceiveMetadata?.(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#listener.onReceiveMessage?.(message);
  }

  onReceiveStatus(status: StatusObject): void {
    this.#onEnd?.();
    if (this.#call) this.#end(this.#call, status);
    this.#listener.onReceiveStatus?.(status);
  }

  #end(call: ChannelCall, status: StatusObject): void {
    const { code, details } = status;
    const name = installed.status[code];
    const error = errorOf(installed, status);
    call.end({ name, details, error, isRejected: isLocal(status) }, code === installed.status.CANCELLED);
  }
}
