import { Subscription } from 'rxjs';
import { ConsulClient, ConsulRegistry, DiscoveryEvents } from '@rookery/consul';
import { resolveAgent } from '#libs/consul/dist/client/agent-options.js';
import { attemptTransport } from '#libs/discovery/dist/calling/running-attempt.js';
import { ServiceCaller } from '#libs/discovery/dist/calling/service-caller.js';
import { ServiceCatalog } from '#libs/discovery/dist/catalog/service-catalog.js';
import {
  describeRegistration,
  type RegistrationSpec,
} from '#libs/discovery/dist/registration/describe-registration.js';
import { createHeartbeats } from '#libs/discovery/dist/registration/heartbeat/create-heartbeats.js';
import { Registrar } from '#libs/discovery/dist/registration/registrar.js';
import { ReconnectSignal } from '#libs/discovery/dist/registry/reconnect-signal.js';
import { RegistryReachability } from '#libs/discovery/dist/registry/registry-reachability.js';
import type { Clock } from '#libs/discovery/dist/timing/clock.js';
import { connectionRefused } from '../simulated-instance.js';
import type { AppAgent } from './fleet-world.js';

/** What is registered, and begins and ends. */
export interface FleetMember {
  readonly port: number;
  start(): void;
  deregister(): Promise<void>;
  close(): Promise<void>;
}

export interface MemberOptions extends AppAgent {
  readonly clock: Clock;
  readonly random: () => number;
  readonly service: string;
  readonly port: number;
}

export interface FleetAppOptions extends MemberOptions {
  /** The services that it calls; one of another datacenter as `name@datacenter`. */
  readonly calls: readonly string[];
  /** Whether the instance at this port, which is one of the fleet, is there. */
  readonly isUp: (port: number) => boolean;
}

const DEREGISTER_TIMEOUT_MS = 10_000;
const LIST_TIMEOUT_MS = 5_000;
const HISTORY = 10;
const ANSWER_MS = 5;
const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };
const noListener = { onUnreachable: () => undefined, onReachable: () => undefined };

/** The parts of this library that an app has, without Nest and without a server of its own. */
export class FleetApp implements FleetMember {
  readonly service: string;
  readonly port: number;
  readonly #options: FleetAppOptions;
  readonly #client: ConsulClient;
  readonly #catalog: ServiceCatalog;
  readonly #caller: ServiceCaller;
  readonly #registrar: Registrar;
  readonly #watches = new Subscription();

  constructor(options: FleetAppOptions) {
    const { clock, random, service, port } = options;
    this.service = service;
    this.port = port;
    this.#options = options;
    this.#client = clientOf(options);
    const registry = new ConsulRegistry(this.#client, { clock, random });
    const reconnectSignal = new ReconnectSignal();
    const events = new DiscoveryEvents(HISTORY);
    const reachability = new RegistryReachability(clock, noListener);
    const probe = async (): Promise<'reachable'> => 'reachable';
    this.#catalog = new ServiceCatalog(registry, {
      ...{ clock, random, reconnectSignal, reachability, probe },
      logger: silent,
      initialListTimeoutMs: LIST_TIMEOUT_MS,
    });
    this.#caller = new ServiceCaller(this.#catalog, {
      ...{ clock, random, zone: undefined, clients: {} },
      callers: () => undefined,
      probe: async ({ port: at }) => (options.isUp(at) ? 'reachable' : 'refused'),
      emit: () => undefined,
      onUnused: () => undefined,
      askLoad: async () => undefined,
    });
    const health = async (): Promise<{ status: 'passing'; output: string }> => ({
      status: 'passing',
      output: '',
    });
    const heartbeats = createHeartbeats(registry, undefined, {
      ...{ clock, random, health, reconnectSignal },
      logger: silent,
    });
    this.#registrar = new Registrar(registry, registrationOf(options), {
      ...{ clock, random, health, heartbeats, events, reachability, reconnectSignal },
      deregisterTimeoutMs: DEREGISTER_TIMEOUT_MS,
      isReachable: async () => true,
    });
  }

  start(): void {
    this.#registrar.start();
    for (const called of this.#options.calls) {
      const [name = called, datacenter] = called.split('@');
      const query = datacenter === undefined ? {} : { datacenter };
      this.#watches.add(this.#catalog.watch(name, query).subscribe());
    }
  }

  /** @returns whether a call of one of its services was answered, over all attempts */
  async call(service: string): Promise<boolean> {
    const { clock, isUp } = this.#options;
    try {
      const { value } = await this.#caller.send(
        service,
        attemptTransport(async ({ port }) => {
          await new Promise<void>((resolve) => clock.after(ANSWER_MS, resolve));
          if (isUp(port)) return { status: 200 };
          throw connectionRefused();
        }),
        {
          idempotent: true,
          readResponse: ({ status }) => ({
            status,
            load: undefined,
            retryAfter: undefined,
            isMisdirected: false,
          }),
        },
      );
      return value.status === 200;
    } catch {
      return false;
    }
  }

  deregister(): Promise<void> {
    return this.#registrar.stop();
  }

  async close(): Promise<void> {
    await this.deregister();
    this.#watches.unsubscribe();
    this.#caller.close();
    await this.#catalog.close();
    await this.#client.close();
  }
}

/** Of an app to the agent of its host. */
export function clientOf({ clock, url, openPool }: MemberOptions): ConsulClient {
  const { agent, issues } = resolveAgent({ url }, {});
  if (!agent) throw new Error(JSON.stringify(issues));
  return new ConsulClient(agent, undefined, { clock, openPool });
}

export function registrationOf({ service, port }: MemberOptions): RegistrationSpec {
  return describeRegistration(
    { name: service },
    {
      ...{ port, secure: false, hostName: 'host', address: '127.0.0.1', checkHost: '127.0.0.1' },
      ...{
        checkIsRemote: false,
        healthPath: '/health',
        hasHealthPath: true,
        contextPath: '',
        zone: undefined,
      },
    },
  );
}
