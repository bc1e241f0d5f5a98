import { seededRandom } from '@rookery/test-support';
import type { LoadBalancer, Target } from '#libs/discovery/dist/balancing/load-balancer.js';
import type { Strategy } from '#libs/discovery/dist/balancing/strategies/strategies.js';
import { TwoChoicesBalancer } from '#libs/discovery/dist/balancing/strategies/two-choices.balancer.js';
import type { Random } from '#libs/discovery/dist/timing/clock.js';
import { ServiceCatalog } from '#libs/discovery/dist/catalog/service-catalog.js';
import { attemptTransport } from '#libs/discovery/dist/calling/running-attempt.js';
import { ServiceCaller } from '#libs/discovery/dist/calling/service-caller.js';
import type { ClientsOptions } from '#libs/discovery/dist/calling/options/client-options.js';
import { InMemoryRegistry } from '#libs/discovery/dist/testing/in-memory.registry.js';
import { ReconnectSignal } from '#libs/discovery/dist/registry/reconnect-signal.js';
import {
  SimulatedInstance,
  type Behaviour,
  type InstanceModel,
  type SimulatedAnswer,
} from './simulated-instance.js';
import { VirtualClock } from './virtual-clock.js';

/** What happens, and when. */
export interface SimulatedEvent {
  /** Milliseconds from the beginning. */
  readonly at: number;
  /** Which instances, by number; undefined: all. */
  readonly instances?: readonly number[];
  readonly behaviour?: Behaviour;
  /** They are added to the registry, or removed from it. */
  readonly registry?: 'add' | 'remove';
}

export interface Scenario {
  readonly name: string;
  /** One line that describes it. */
  readonly story: string;
  readonly clients: number;
  readonly instances: number;
  /** Further instances, which run from the beginning and are listed by an event. */
  readonly spare?: number;
  /** Share of the total capacity of the instances, 0 to 1. */
  readonly load: number;
  readonly model: InstanceModel;
  readonly events: readonly SimulatedEvent[];
  readonly durationMs: number;
  /** How fast an instance works, by its number; `load` is a share of what all of them can do. Default: 1. */
  readonly speedOf?: (instance: number) => number;
  /** The zone of an instance, and of a client, by its number. */
  readonly zoneOf?: (instance: number) => string;
  readonly zoneOfClient?: (client: number) => string;
  /** The instances whose load is drawn. */
  readonly watched: readonly number[];
  /** Only the chart reads what was before. */
  readonly measureFrom?: number;
}

export interface SimulatedCall {
  readonly at: number;
  readonly tookMs: number;
  readonly failed: boolean;
  /** Numbers of the instances of its attempts. */
  readonly attempts: readonly number[];
  readonly failedAttempts: number;
}

/** `all-knowing`: of two instances the one that would answer first, by what no client can know; a bound for what can be reached. */
export type SimulatedStrategy = Strategy | 'all-knowing';

export interface SimulationOptions {
  readonly clients: Omit<ClientsOptions, 'strategy'> & { readonly strategy?: SimulatedStrategy };
  readonly seed: number;
}

const SERVICE = 'simulated';
/** There and back. */
const PROBE_MS = 1;
const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

/** Runs a scenario on the code that makes calls in an app; only time, servers and the registry are simulated. */
export async function simulate(
  scenario: Scenario,
  { clients: clientOptions, seed }: SimulationOptions,
): Promise<readonly SimulatedCall[]> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const registry = new InMemoryRegistry();
  const count = scenario.instances + (scenario.spare ?? 0);
  const speedOf = scenario.speedOf ?? (() => 1);
  const instances = Array.from(
    { length: count },
    (_, n) => new SimulatedInstance(clock, random, scenario.model, speedOf(n)),
  );
  const { strategy, ...rest } = clientOptions;
  const clients: ClientsOptions =
    strategy === 'all-knowing'
      ? { ...rest, strategy: knowingAll(instances) }
      : { ...rest, ...(strategy ? { strategy } : {}) };
  const put = (n: number): void =>
    void registry.put({ service: SERVICE, id: String(n), port: 1_000 + n, zone: scenario.zoneOf?.(n) });
  for (let n = 0; n < scenario.instances; n++) put(n);
  const callers = Array.from({ length: scenario.clients }, (_, n) => {
    const catalog = new ServiceCatalog(registry, {
      clock,
      random,
      logger: silent,
      reconnectSignal: new ReconnectSignal(),
      probe: async () => 'reachable',
      initialListTimeoutMs: 5_000,
    });
    const caller = new ServiceCaller(catalog, {
      clock,
      random,
      clients,
      zone: scenario.zoneOfClient?.(n),
      callers: () => undefined,
      probe: async ({ id }) =>
        instances[Number(id)]?.behaviour.fails === 'refuse' ? 'refused' : 'reachable',
      emit: () => undefined,
      onUnused: () => undefined,
      askLoad: ({ id }) =>
        new Promise((resolve) => clock.after(PROBE_MS, () => resolve(instances[Number(id)]?.report()))),
    });
    return { catalog, caller };
  });

  for (const { at, instances: which, behaviour, registry: change } of scenario.events)
    clock.after(at, () => {
      for (const n of which ?? instances.keys()) {
        const instance = instances[n];
        if (instance && behaviour) instance.behaviour = behaviour;
        if (change === 'add') put(n);
        else if (change === 'remove') registry.remove(String(n));
      }
    });

  const calls: SimulatedCall[] = [];
  const call = async (): Promise<void> => {
    const at = clock.now();
    const { caller } = callers[Math.floor(random() * callers.length)] ?? {};
    const attempts: number[] = [];
    let failedAttempts: number;
    let failed: boolean;
    try {
      const result = await caller?.send(
        SERVICE,
        attemptTransport(async ({ id }) => {
          attempts.push(Number(id));
          return answerOf(instances[Number(id)]);
        }),
        {
          idempotent: true,
          readResponse: ({ status, load }) => ({
            ...{ status, load },
            ...{ retryAfter: undefined, isMisdirected: false },
          }),
        },
      );
      failed = result?.value.status !== 200;
      failedAttempts = attempts.length - (failed ? 0 : 1);
    } catch {
      failed = true;
      failedAttempts = attempts.length;
    }
    calls.push({ at, tookMs: clock.now() - at, failed, attempts, failedAttempts });
  };
  const speed = instances.slice(0, scenario.instances).reduce((sum, _, n) => sum + speedOf(n), 0);
  const perMs = (scenario.load * speed * scenario.model.workers) / scenario.model.serviceMs;
  const arrive = (): void => {
    void call();
    // Poisson arrivals: an open loop, like users.
    const next = -Math.log(1 - random()) / perMs;
    if (clock.now() + next < scenario.durationMs) clock.after(next, arrive);
  };
  clock.after(0, arrive);
  // Waits for the last calls.
  await clock.runUntil(scenario.durationMs + 15_000);
  for (const { caller } of callers) caller.close();
  await Promise.all(callers.map(({ catalog }) => catalog.close()));
  return calls;
}

function answerOf(instance: SimulatedInstance | undefined): Promise<SimulatedAnswer> {
  if (!instance) throw new Error('a call went to an instance that is not in the scenario');
  return instance.handle();
}

function knowingAll(instances: readonly SimulatedInstance[]): new (random: Random) => LoadBalancer {
  return class AllKnowing extends TwoChoicesBalancer {
    protected override loadOf({ instance }: Target): number {
      return instances[Number(instance.id)]?.backlog ?? Infinity;
    }
  };
}
