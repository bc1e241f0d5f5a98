import { status, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { abortReason, type Clock, withAbort } from '@rookery/discovery/adapter';
import type { WatchRequest, WatchResponse } from '../api/messages.js';
import { isTokenRefused, toEtcdError } from '../classify-status.js';
import type { EtcdConnection } from '../etcd-connection.js';
import { CompactedError, EtcdError } from '../etcd-error.js';
import type { EtcdMembers } from '../etcd-members.js';
import { encodeRange, type EtcdRange } from '../key-range.js';
import { toEvent, type EtcdEvent } from '../key-value.js';

/** The changes of one revision, or of several. */
export interface EtcdWatchBatch {
  /** The revision of the store that they lead to. */
  readonly revision: bigint;
  readonly events: readonly EtcdEvent[];
}

/** An idle stream is asked for a sign of life so often, and has so long to give it. */
const LOOK_EVERY_MS = 2_000;
const ANSWER_WITHIN_MS = 2_000;

interface Watch {
  readonly id: string;
  /** The first revision that it wants. */
  readonly from: bigint;
  readonly onBatch: (batch: EtcdWatchBatch) => void;
  readonly onEnd: (error: Error) => void;
}

interface OpenStream {
  readonly stream: ClientDuplexStream<WatchRequest, WatchResponse>;
  readonly connection: EtcdConnection;
  isAnswering: boolean;
  isOpen: boolean;
  /** Watches that are not created yet, in the order in which they were asked for. */
  readonly pending: string[];
  stopLooking: () => void;
}

/**
 * All watches of a client, on one stream. When it fails, all of them end with its error, and the next watch opens another one. A stream
 * may be silent for good without an end (a member that is stopped, or cut off): where nothing arrives, a progress request asks for a
 * sign of life.
 */
export class WatchStream {
  readonly #members: EtcdMembers;
  readonly #clock: Clock;
  readonly #watches = new Map<string, Watch>();
  readonly #closing = new AbortController();
  #opening: Promise<OpenStream> | undefined;
  #lastId = 0;

  constructor(members: EtcdMembers, clock: Clock) {
    this.#members = members;
    this.#clock = clock;
  }

  /** How many watches there are. */
  get size(): number {
    return this.#watches.size;
  }

  /**
   * Yields changes from a revision on. Throws on any error.
   *
   * @throws CompactedError when the revision is too old
   */
  async *watch(range: EtcdRange, from: bigint, signal: AbortSignal): AsyncGenerator<EtcdWatchBatch> {
    if (signal.aborted) throw abortReason(signal);
    const batches: EtcdWatchBatch[] = [];
    let error: Error | undefined;
    let wake: () => void = () => undefined;
    const end = (reason: Error): void => {
      error ??= reason;
      wake();
    };
    const onAbort = (): void => end(abortReason(signal));
    const watch: Watch = {
      id: String(++this.#lastId),
      from,
      onBatch: (batch) => {
        batches.push(batch);
        wake();
      },
      onEnd: end,
    };
    this.#watches.set(watch.id, watch);
    signal.addEventListener('abort', onAbort, { once: true });
    let open: OpenStream | undefined;
    try {
      open = await withAbort(this.#open(), signal);
      // It may have failed, or the watch been aborted, meanwhile.
      if (!error) {
        // Newer members (seen with 3.5.30) do not answer a progress request while a watch begins in the future, as one does that follows a read (etcd#20229).
        const start = from > 1n ? from - 1n : from;
        const create = { ...encodeRange(range), start_revision: String(start), watch_id: watch.id };
        open.pending.push(watch.id);
        open.stream.write({ create_request: create });
      }
      for (;;) {
        const last = batches.at(-1);
        // What came while the consumer was busy is one batch, so that it cannot fall behind.
        if (last)
          yield { revision: last.revision, events: batches.splice(0).flatMap(({ events }) => events) };
        else if (error) throw error;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      // Those of a stream that failed are gone already.
      if (this.#watches.delete(watch.id) && open) this.#leave(open, watch.id);
    }
  }

  close(): void {
    this.#closing.abort(new EtcdError('RK_SHUT_DOWN', 'the client of etcd was closed'));
    void this.#opening?.then(
      (open) => this.#fail(open, abortReason(this.#closing.signal)),
      () => undefined,
    );
  }

  #leave(open: OpenStream, id: string): void {
    if (this.#watches.size > 0) open.stream.write({ cancel_request: { watch_id: id } });
    // An idle client has no stream.
    else this.#end(open);
  }

  #open(): Promise<OpenStream> {
    const opening = (this.#opening ??= this.#connect());
    opening.then(
      (open) => {
        // All that waited for it have given up.
        if (this.#watches.size === 0) this.#end(open);
      },
      (error: unknown) => {
        if (this.#opening === opening) this.#opening = undefined;
        this.#endAll(error as Error);
      },
    );
    return opening;
  }

  async #connect(): Promise<OpenStream> {
    const { stream, connection } = await this.#members.open<WatchRequest, WatchResponse>(
      'Watch/Watch',
      this.#closing.signal,
    );
    const open: OpenStream = {
      ...{ stream, connection, isAnswering: false, isOpen: true, pending: [] },
      stopLooking: () => undefined,
    };
    stream.on('data', (response: WatchResponse) => {
      open.isAnswering = true;
      try {
        this.#dispatch(open, response);
      } catch (error) {
        this.#fail(open, error as Error);
      }
    });
    stream.on('error', (error: ServiceError) => {
      this.#fail(open, toEtcdError(`Watch at ${connection.target}`, error.code, error.details, error));
    });
    stream.on('end', () => {
      this.#fail(open, new EtcdError('RK_REGISTRY_UNREACHABLE', `Watch at ${connection.target} ended`));
    });
    this.#look(open);
    return open;
  }

  /** Looks now and then whether the stream is alive. */
  #look(open: OpenStream): void {
    open.stopLooking = this.#clock.after(LOOK_EVERY_MS, () => {
      if (open.isAnswering) {
        open.isAnswering = false;
        this.#look(open);
        return;
      }
      open.stream.write({ progress_request: {} });
      open.stopLooking = this.#clock.after(ANSWER_WITHIN_MS, () => {
        if (open.isAnswering) {
          open.isAnswering = false;
          this.#look(open);
          return;
        }
        const silent = `Watch at ${open.connection.target}: no sign of life for ${ANSWER_WITHIN_MS} ms`;
        this.#fail(open, new EtcdError('RK_REGISTRY_TIMEOUT', silent));
      });
    });
  }

  #dispatch(open: OpenStream, response: WatchResponse): void {
    const { connection, pending } = open;
    const { canceled, created, compact_revision: compacted, cancel_reason: reason } = response;
    // A watch that is refused has no id; they are answered in order.
    const isRefused = created && canceled && !this.#watches.has(response.watch_id);
    const id = isRefused ? (pending[0] ?? '') : response.watch_id;
    if (created) pending.splice(pending.indexOf(id), pending.includes(id) ? 1 : 0);
    const watch = this.#watches.get(id);
    // Of a progress request, or of a watch that was cancelled.
    if (!watch) return;
    if (canceled) {
      this.#watches.delete(id);
      const what = `Watch at ${connection.target} was cancelled`;
      const error =
        compacted === '0'
          ? toEtcdError(what, codeOf(reason), reason || 'etcd gave no reason')
          : new CompactedError(`${what}: its revision was compacted`, BigInt(compacted));
      watch.onEnd(error);
      // It has the token of its beginning for good: with another one all of them begin anew.
      if (error.status === status.UNAUTHENTICATED) this.#fail(open, error);
      else if (this.#watches.size === 0) this.#end(open);
      return;
    }
    const events = response.events.map(toEvent).filter(({ modRevision }) => modRevision >= watch.from);
    if (events.length > 0) watch.onBatch({ revision: BigInt(response.header?.revision ?? 0), events });
  }

  /** All of its watches end with the error. */
  #fail(open: OpenStream, error: Error): void {
    if (!this.#end(open)) return;
    const isOurs = this.#closing.signal.aborted || this.#members.forgetToken(error);
    if (!isOurs) this.#members.leave(open.connection, error);
    this.#endAll(error);
  }

  #endAll(error: Error): void {
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    for (const watch of watches) watch.onEnd(error);
  }

  /** @returns whether it was open */
  #end(open: OpenStream): boolean {
    if (!open.isOpen) return false;
    open.isOpen = false;
    open.stopLooking();
    this.#opening = undefined;
    // Cancelling is an error of the stream that need not be reported.
    open.stream.removeAllListeners('error').on('error', () => undefined);
    open.stream.removeAllListeners('data').removeAllListeners('end');
    open.stream.cancel();
    return true;
  }
}

/** The code of gRPC in the reason, where the server has it there as text. */
function codeOf(reason: string): status {
  if (reason.includes('Unauthenticated') || isTokenRefused(reason)) return status.UNAUTHENTICATED;
  if (/PermissionDenied|permission denied/.test(reason)) return status.PERMISSION_DENIED;
  return reason.includes('no leader') ? status.UNAVAILABLE : status.UNKNOWN;
}
