import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { abortReason, type Clock, withTimeout } from '@rookery/discovery/adapter';
import type { Int64, LeaseKeepAliveResponse } from '../api/messages.js';
import { toEtcdError } from '../classify-status.js';
import type { EtcdConnection } from '../etcd-connection.js';
import { EtcdError } from '../etcd-error.js';
import type { EtcdMembers } from '../etcd-members.js';

interface Waiting {
  readonly resolve: (ttl: number) => void;
  readonly reject: (error: Error) => void;
}

interface OpenStream {
  readonly stream: ClientDuplexStream<{ ID: Int64 }, LeaseKeepAliveResponse>;
  readonly connection: EtcdConnection;
  isOpen: boolean;
  /** When it answered last; -Infinity: it has not. */
  heardAt: number;
}

/** A stream is dead when nothing has come on it for this many times what a caller waits: that one is impatient must not end the renewals of the others. */
const SILENT_FOR = 2;

/** The keep-alives of all leases of a client, on one stream. */
export class KeepAliveStream {
  readonly #members: EtcdMembers;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<Int64, Waiting[]>();
  readonly #closing = new AbortController();
  #opening: Promise<OpenStream> | undefined;

  constructor(members: EtcdMembers, clock: Clock, timeoutMs: number) {
    this.#members = members;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Renews a lease once.
   *
   * @returns the seconds that it has now; undefined: there is no such lease
   * @throws EtcdError
   */
  async send(lease: bigint, timeoutMs = this.#timeoutMs): Promise<number | undefined> {
    const id = String(lease);
    const open = await this.#open();
    const answered = new Promise<number>((resolve, reject) => {
      const waiting = this.#waiting.get(id) ?? [];
      waiting.push({ resolve, reject });
      this.#waiting.set(id, waiting);
    });
    open.stream.write({ ID: id });
    const onTimeout = (): Error => {
      const error = new EtcdError(
        'RK_REGISTRY_TIMEOUT',
        `LeaseKeepAlive at ${open.connection.target}: no answer in ${Math.round(timeoutMs)} ms`,
      );
      if (this.#clock.now() - open.heardAt >= SILENT_FOR * timeoutMs) this.#fail(open, error);
      return error;
    };
    // It keeps its place when its caller has given up, since answers come in the order of the requests.
    const ttl = await withTimeout(this.#clock, timeoutMs, answered, onTimeout);
    // An unknown lease is answered without a TTL.
    return ttl > 0 ? ttl : undefined;
  }

  close(): void {
    this.#closing.abort(new EtcdError('RK_SHUT_DOWN', 'the client of etcd was closed'));
    void this.#opening?.then(
      (open) => this.#fail(open, abortReason(this.#closing.signal)),
      () => undefined,
    );
  }

  async #open(): Promise<OpenStream> {
    const known = await this.#opening?.catch(() => undefined);
    // Its member was left meanwhile.
    if (known && known.connection !== this.#members.current)
      this.#end(known, new Error('another member is used'));
    const opening = (this.#opening ??= this.#connect());
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    return await opening;
  }

  async #connect(): Promise<OpenStream> {
    const { stream, connection } = await this.#members.open<{ ID: Int64 }, LeaseKeepAliveResponse>(
      'Lease/LeaseKeepAlive',
      this.#closing.signal,
    );
    const open = { stream, connection, isOpen: true, heardAt: -Infinity };
    stream.on('data', ({ ID, TTL }: LeaseKeepAliveResponse) => {
      open.heardAt = this.#clock.now();
      const waiting = this.#waiting.get(ID);
      waiting?.shift()?.resolve(Number(TTL));
      if (waiting?.length === 0) this.#waiting.delete(ID);
    });
    stream.on('error', (error: ServiceError) => {
      this.#fail(
        open,
        toEtcdError(`LeaseKeepAlive at ${connection.target}`, error.code, error.details, error),
      );
    });
    stream.on('end', () => {
      this.#fail(
        open,
        new EtcdError('RK_REGISTRY_UNREACHABLE', `LeaseKeepAlive at ${connection.target} ended`),
      );
    });
    return open;
  }

  #fail(open: OpenStream, error: Error): void {
    if (!this.#end(open, error)) return;
    const isOurs = this.#closing.signal.aborted || this.#members.forgetToken(error);
    if (!isOurs) this.#members.leave(open.connection, error);
  }

  /** @returns whether it was open */
  #end(open: OpenStream, error: Error): boolean {
    const { stream } = open;
    if (!open.isOpen) return false;
    open.isOpen = false;
    stream.removeAllListeners('data').removeAllListeners('end');
    // Cancelling is an error of the stream that need not be reported.
    stream.removeAllListeners('error').on('error', () => undefined);
    stream.cancel();
    this.#opening = undefined;
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
    return true;
  }
}
