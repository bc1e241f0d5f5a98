import type { InterceptingListener, Metadata, StatusObject } from '@grpc/grpc-js';
import type { ChannelCall } from '@rookery/discovery/adapter';
import { errorOf } from './call-status.js';
import { installed } from './experimental-api.js';

/** Passes a response on, and tells the limits of the service and telemetry how the call ended. */
export class CallResponse implements InterceptingListener {
  readonly #listener: Partial<InterceptingListener>;
  readonly #call: ChannelCall | undefined;
  readonly #isStream: boolean;

  /** @param call undefined: there are neither */
  constructor(listener: Partial<InterceptingListener>, call: ChannelCall | undefined, isStream: boolean) {
    this.#listener = listener;
    this.#call = call;
    this.#isStream = isStream;
  }

  onReceiveMetadata(metadata: Metadata): void {
    if (this.#isStream) this.#call?.answered();
    this.#listener.onReceiveMetadata?.(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#listener.onReceiveMessage?.(message);
  }

  onReceiveStatus(status: StatusObject): void {
    if (this.#call) this.#end(this.#call, status);
    this.#listener.onReceiveStatus?.(status);
  }

  #end(call: ChannelCall, status: StatusObject): void {
    const { code, details } = status;
    const name = installed.status[code];
    const error = errorOf(installed, status);
    call.end({ name, details, error }, code === installed.status.CANCELLED);
  }
}
