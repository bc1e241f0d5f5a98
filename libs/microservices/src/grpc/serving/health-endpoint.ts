import type {
  sendUnaryData,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceError,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { HealthService } from '@rookery/discovery';
import { delay, withTimeout, type Clock } from '@rookery/discovery/adapter';
import { installed } from '../experimental-api.js';
import {
  SERVING_STATUS,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type ServingStatus,
} from './standard-services.js';

/** A change is told to those that watch after this time at most. */
const WATCH_MS = 2_000;
/** Of a client that reads nothing. */
const DISMISS_MS = 500;

export interface HealthEndpointOptions {
  readonly health: Pick<HealthService, 'check'>;
  /** The gRPC services of this server, whose health is that of the app. */
  readonly services: ReadonlySet<string>;
  /** Of the app's health, which may be asked for by name: `liveness`, `readiness`, and its own. */
  readonly groups: () => ReadonlySet<string>;
  readonly clock: Clock;
}

type WatchCall = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/** The standard health service of gRPC, answered from the app's readiness. */
export class HealthEndpoint {
  readonly #options: HealthEndpointOptions;
  readonly #watches = new Set<WatchCall>();
  #isOver = false;

  constructor(options: HealthEndpointOptions) {
    this.#options = options;
  }

  get implementation(): UntypedServiceImplementation {
    return {
      Check: (
        call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
        respond: sendUnaryData<HealthCheckResponse>,
      ) => {
        this.#check(call.request.service).then(
          (status) => respond(null, { status }),
          (error: unknown) => respond(error as ServiceError),
        );
      },
      Watch: (call: WatchCall) => void this.#watch(call),
    };
  }

  /** Those that watch are told, and their streams end: a server that waits for open streams would not end. */
  async close(): Promise<void> {
    this.#isOver = true;
    const watches = [...this.#watches];
    this.#watches.clear();
    await Promise.all(watches.map((call) => this.#dismiss(call)));
  }

  /** Nest cuts the connections of a server that it closes: what is told has to be written before. */
  async #dismiss(call: WatchCall): Promise<void> {
    const written = new Promise((resolve) => {
      call.once('close', resolve);
      call.write({ status: SERVING_STATUS.NOT_SERVING }, resolve);
    });
    await withTimeout(this.#options.clock, DISMISS_MS, written, () => new Error('not read')).catch(
      () => undefined,
    );
    call.end();
  }

  /** @throws an error with status NOT_FOUND, as the protocol has it */
  async #check(service: string): Promise<ServingStatus> {
    const status = await this.#statusOf(service);
    if (status !== SERVING_STATUS.SERVICE_UNKNOWN) return status;
    const known = [...this.#options.groups(), ...this.#options.services].join(', ');
    throw Object.assign(new Error('unknown service'), {
      code: installed.status.NOT_FOUND,
      details: `unknown service "${service}": this server knows "" and ${known}`,
    });
  }

  async #statusOf(service: string): Promise<ServingStatus> {
    const { health, services, groups } = this.#options;
    const isGroup = groups().has(service);
    if (!isGroup && service !== '' && !services.has(service)) return SERVING_STATUS.SERVICE_UNKNOWN;
    const { status } = await health.check(isGroup ? service : 'readiness');
    // Degraded is served: gRPC has no word between.
    return status === 'ok' || (status as string) === 'degraded'
      ? SERVING_STATUS.SERVING
      : SERVING_STATUS.NOT_SERVING;
  }

  async #watch(call: WatchCall): Promise<void> {
    if (this.#isOver) {
      call.end();
      return;
    }
    const leaving = new AbortController();
    this.#watches.add(call);
    const leave = (): void => {
      this.#watches.delete(call);
      leaving.abort();
    };
    call.once('cancelled', leave);
    call.once('close', leave);
    let last: ServingStatus | undefined;
    while (this.#watches.has(call)) {
      const status = await this.#statusOf(call.request.service);
      if (status !== last && this.#watches.has(call)) call.write({ status });
      last = status;
      await delay(this.#options.clock, WATCH_MS, leaving.signal).catch(() => undefined);
    }
  }
}
