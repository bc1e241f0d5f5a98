import type { Metadata, status } from '@grpc/grpc-js';
import { DiscoveryError, type ServiceInstance, type Target } from '@rookery/discovery';
import {
  hostAndPort,
  recipientHeaders,
  type AttemptShape,
  type TargetPicks,
} from '@rookery/discovery/adapter';
import { shapeOf } from './call-shape.js';
import { describe, errorOf, localMetadata } from './call-status.js';
import type { ExperimentalApi, GrpcJs, PickArgs, Picker, PickResult } from './experimental-api.js';
import type { InstanceConnection } from './instance-connection.js';
import { reportedInFlight } from './reported-load.js';

/** Metadata of a call for the picker; it is not sent. */
export const HASH_KEY = 'rookery-hash-key';
/** Of gRPC's own, in an attempt that is not the first (A6). */
export const PREVIOUS_ATTEMPTS = 'grpc-previous-rpc-attempts';
/** Targets that are looked at for one attempt. */
const MAX_TARGETS = 16;
const NONE: ReadonlySet<Target> = new Set();

export interface PickerTools {
  readonly grpc: Pick<GrpcJs, 'connectivityState' | 'Metadata' | 'status'>;
  readonly experimental: ExperimentalApi;
  readonly picks: TargetPicks;
  /** By address; undefined: not in the list that the channel has. */
  readonly connectionTo: (address: string) => InstanceConnection | undefined;
  /** Why there is no instance. */
  readonly note: string;
  /** Its app has been closed; there may be another one. */
  readonly onClosed: () => void;
}

/** What is the same for all calls to an instance. */
interface Route {
  readonly address: string;
  /** To an app that Rookery registered: which service is meant. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** Picks the instance of each attempt as other calls to the service do, among those that there is a connection to. */
export class ServicePicker implements Picker {
  readonly #tools: PickerTools;
  readonly #routes = new WeakMap<ServiceInstance, Route>();

  constructor(tools: PickerTools) {
    this.#tools = tools;
  }

  pick(args: PickArgs): PickResult {
    try {
      return this.#pick(args);
    } catch (error) {
      // Thrown from here, it would end the process.
      if (error instanceof DiscoveryError && error.code === 'RK_SHUT_DOWN') this.#tools.onClosed();
      return this.#failed(describe(error));
    }
  }

  /** Connects to an instance that takes calls, for a client that waits for a connection and makes no call yet. */
  connect(): void {
    const { picks, connectionTo } = this.#tools;
    try {
      const target = picks.pick({ hashKey: undefined, isRetry: true, excluded: NONE });
      if (target) connectionTo(this.#routeTo(target).address)?.connect();
    } catch {
      // As in a pick, whose call is told why. There is no call here.
    }
  }

  #pick({ metadata, extraPickInfo }: PickArgs): PickResult {
    const { grpc, picks, connectionTo, note } = this.#tools;
    const { READY, TRANSIENT_FAILURE } = grpc.connectivityState;
    const hashKey = take(metadata, HASH_KEY);
    const isRetry = metadata.get(PREVIOUS_ATTEMPTS).length > 0;
    // Most calls take the first.
    let excluded: Set<Target> | undefined;
    let isConnecting = false;
    let failure = note;
    for (let n = 0; n < MAX_TARGETS; n++) {
      const target = picks.pick({ hashKey, isRetry, excluded: excluded ?? NONE });
      if (!target) break;
      const { address, headers } = this.#routeTo(target);
      const connection = connectionTo(address);
      // It is there at once where another client of the service has it.
      if (connection && connection.state !== READY && connection.state !== TRANSIENT_FAILURE)
        connection.connect();
      if (connection?.state === READY) {
        if (headers) for (const name in headers) metadata.set(name, headers[name] ?? '');
        const picked = connection.picker.pick({ metadata, extraPickInfo });
        return this.#observed(picked, target, shapeOf(metadata), isRetry);
      }
      (excluded ??= new Set()).add(target);
      // The list of the channel is a moment older.
      if (!connection) continue;
      if (connection.state === TRANSIENT_FAILURE) {
        failure = connection.error;
        picks.refused(target, connection.error);
        continue;
      }
      isConnecting = true;
      // The key belongs to this one.
      if (hashKey !== undefined) break;
    }
    return isConnecting ? this.#queued() : this.#failed(this.#detailsOf(failure));
  }

  #routeTo({ instance }: Target): Route {
    let route = this.#routes.get(instance);
    if (!route) {
      route = { address: hostAndPort(instance), headers: recipientHeaders(instance) };
      this.#routes.set(instance, route);
    }
    return route;
  }

  #observed(picked: PickResult, target: Target, shape: AttemptShape, isRetry: boolean): PickResult {
    const { picks, grpc, experimental } = this.#tools;
    if (picked.pickResultType !== experimental.PickResultType.COMPLETE) return picked;
    const { CANCELLED } = grpc.status;
    const { onCallStarted, onCallEnded } = picked;
    let end: ReturnType<TargetPicks['begin']> | undefined;
    return {
      ...picked,
      onCallStarted: () => {
        onCallStarted?.();
        end = picks.begin(target, shape, isRetry);
      },
      // Up to 1.13 it is told the code only.
      onCallEnded: (code: status, details = '', metadata: Metadata = new grpc.Metadata()) => {
        onCallEnded?.(code, details, metadata);
        end?.({
          error: errorOf(grpc, { code, details, metadata }),
          isAbandoned: code === CANCELLED,
          reportedInFlight: () => reportedInFlight(metadata),
        });
        end = undefined;
      },
    };
  }

  #queued(): PickResult {
    const { PickResultType } = this.#tools.experimental;
    const nothing = { subchannel: null, status: null, onCallStarted: null, onCallEnded: null };
    return { pickResultType: PickResultType.QUEUE, ...nothing };
  }

  #detailsOf(reason: string): string {
    const { note, picks } = this.#tools;
    // The last instance has just left, and the channel is told why in a moment.
    if (reason === '') return `RK_NO_INSTANCES: no usable instance of "${picks.service}"`;
    return reason === note ? reason : `no connection to any instance of "${picks.service}": ${reason}`;
  }

  #failed(details: string): PickResult {
    const { grpc, experimental } = this.#tools;
    const status = { code: grpc.status.UNAVAILABLE, details, metadata: localMetadata(grpc) };
    return {
      pickResultType: experimental.PickResultType.TRANSIENT_FAILURE,
      subchannel: null,
      status,
      onCallStarted: null,
      onCallEnded: null,
    };
  }
}

function take(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  if (value === undefined) return undefined;
  metadata.remove(name);
  return String(value);
}
