import type { Metadata, status } from '@grpc/grpc-js';
import type { Target } from '@rookery/discovery';
import {
  hostAndPort,
  recipientHeaders,
  type AttemptShape,
  type TargetPicks,
} from '@rookery/discovery/adapter';
import { errorOf } from './call-status.js';
import type { ExperimentalApi, GrpcJs, PickArgs, Picker, PickResult } from './experimental-api.js';
import type { InstanceConnection } from './instance-connection.js';
import { reportedInFlight } from './reported-load.js';

/** Metadata of a call for the picker; neither is sent. */
export const HASH_KEY = 'rookery-hash-key';
export const SHAPE = 'rookery-shape';
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
}

/** Picks the instance of each attempt as other calls to the service do, among those that there is a connection to. */
export class ServicePicker implements Picker {
  readonly #tools: PickerTools;

  constructor(tools: PickerTools) {
    this.#tools = tools;
  }

  pick({ metadata, extraPickInfo }: PickArgs): PickResult {
    const { grpc, picks, connectionTo, note } = this.#tools;
    const { READY, TRANSIENT_FAILURE } = grpc.connectivityState;
    const hashKey = take(metadata, HASH_KEY);
    // Of calls without the interceptor it is not known.
    const shape = (take(metadata, SHAPE) ?? 'unknown') as AttemptShape;
    const isRetry = metadata.get(PREVIOUS_ATTEMPTS).length > 0;
    // Most calls take the first.
    let excluded: Set<Target> | undefined;
    let isConnecting = false;
    let failure = note;
    for (let n = 0; n < MAX_TARGETS; n++) {
      const target = picks.pick({ hashKey, isRetry, excluded: excluded ?? NONE });
      if (!target) break;
      const connection = connectionTo(hostAndPort(target.instance));
      // It is there at once where another client of the service has it.
      if (connection && connection.state !== READY && connection.state !== TRANSIENT_FAILURE)
        connection.connect();
      if (connection?.state === READY) {
        addHeaders(metadata, target);
        const picked = connection.picker.pick({ metadata, extraPickInfo });
        return this.#observed(picked, target, shape, isRetry);
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
    return isConnecting ? this.#queued() : this.#failed(failure);
  }

  #observed(picked: PickResult, target: Target, shape: AttemptShape, isRetry: boolean): PickResult {
    const { picks, grpc } = this.#tools;
    const { PickResultType } = this.#tools.experimental;
    if (picked.pickResultType !== PickResultType.COMPLETE) return picked;
    let end: ReturnType<TargetPicks['begin']> | undefined;
    return {
      ...picked,
      onCallStarted: () => {
        picked.onCallStarted?.();
        end = picks.begin(target, shape, isRetry);
      },
      onCallEnded: (code: status, details: string, metadata: Metadata) => {
        picked.onCallEnded?.(code, details, metadata);
        const error = errorOf(grpc, { code, details, metadata });
        end?.({
          error,
          isAbandoned: code === grpc.status.CANCELLED,
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

  #failed(reason: string): PickResult {
    const { grpc, experimental, picks } = this.#tools;
    const details =
      reason === this.#tools.note && reason !== ''
        ? reason
        : `no connection to any instance of "${picks.service}": ${reason || 'none can take this call'}`;
    const status = { code: grpc.status.UNAVAILABLE, details, metadata: new grpc.Metadata() };
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
  const [value] = metadata.get(name);
  if (value === undefined) return undefined;
  metadata.remove(name);
  return String(value);
}

/** To an app that Rookery registered: which service is meant. */
function addHeaders(metadata: Metadata, { instance }: Target): void {
  for (const [name, value] of Object.entries(recipientHeaders(instance) ?? {})) metadata.set(name, value);
}
