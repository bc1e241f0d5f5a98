import { seededRandom } from '@rookery/test-support';
import { FleetApp, type FleetMember } from './fleet-app.js';
import type { FleetCounts } from './fleet-traffic.js';
import { OTHER_DATACENTER, type Fault, type FleetWorld } from './fleet-world.js';
import { StandIn } from './stand-in.js';

export interface FleetShape {
  readonly apps: number;
  readonly hosts: number;
  readonly services: number;
  /** Of the apps, and of what is no app of this library. */
  readonly instances: number;
  /** How many services each app calls. */
  readonly callsServices: number;
  /** One app in so many calls a service of another datacenter, too; 0: none does. */
  readonly remoteEvery: number;
  /** How many services are deployed at the same time. */
  readonly deployed: number;
  /** That an agent allows for one host. */
  readonly maxConnections: number;
  readonly times: FleetTimes;
}

/** In milliseconds. */
export interface FleetTimes {
  /** Over which the apps start. */
  readonly start: number;
  /** Until what all checks say is in the catalog, too: seven and a half minutes. */
  readonly settle: number;
  readonly idle: number;
  readonly deployment: number;
  readonly afterFault: number;
}

/** What was counted while something happened. */
export type FleetWindow<Counts extends FleetCounts> = Counts & { readonly name: string };

export interface FleetReport<Counts extends FleetCounts> {
  readonly shape: FleetShape;
  readonly windows: readonly FleetWindow<Counts>[];
  /** Of an idle app, on average. */
  readonly connectionsOfApp: number;
}

/** The fleet that the page *Sizing* is about. */
export const FLEET: FleetShape = {
  apps: 10_000,
  hosts: 500,
  services: 500,
  instances: 50_000,
  callsServices: 5,
  remoteEvery: 5,
  deployed: 100,
  maxConnections: 200,
  times: { start: 60_000, settle: 460_000, idle: 180_000, deployment: 180_000, afterFault: 60_000 },
};

/** A part of that fleet, with as many apps on a host and instances of a service. */
export function fleetOf(apps: number): FleetShape {
  const share = apps / FLEET.apps;
  const part = (whole: number): number => Math.max(1, Math.round(whole * share));
  return {
    ...FLEET,
    apps,
    hosts: part(FLEET.hosts),
    services: Math.max(FLEET.callsServices + 1, part(FLEET.services)),
    instances: part(FLEET.instances),
    deployed: part(FLEET.deployed),
  };
}

const RESTART_MS = 3_000;
/** From when an instance has left the registry until it stops listening. */
const DRAIN_MS = 3_000;
const WAN_CUT_MS = 30_000;
const CALL_EVERY_MS = 10_000;
const STOP_MS = 60_000;

/** When apps start and are replaced; the same in all parts of a fleet. */
const SCHEDULE_SEED = 20_261_129;

/** The hosts of a fleet by turns, so that several processes can each have the apps of some. */
export interface FleetPart {
  readonly turn: number;
  readonly parts: number;
}

/** What happens to a fleet, one after the other. */
export type FleetEvent = 'deployment' | Fault;
const EVENTS: readonly FleetEvent[] = ['deployment', 'leader lost', 'server restarted', 'datacenter cut off'];

export interface FleetRun<Counts extends FleetCounts> {
  /** Default: all. */
  readonly events?: readonly FleetEvent[];
  /** Default: all of it. */
  readonly part?: FleetPart;
  readonly onWindow?: (window: FleetWindow<Counts>) => void;
}

/** What is measured of a fleet while it starts, when it is idle, and in each event. */
export async function runFleet<Counts extends FleetCounts>(
  shape: FleetShape,
  world: FleetWorld<Counts>,
  { events = EVENTS, part = { turn: 0, parts: 1 }, onWindow = () => undefined }: FleetRun<Counts> = {},
): Promise<FleetReport<Counts>> {
  const fleet = new Fleet(shape, world, part);
  const { start, settle, idle, deployment, afterFault } = shape.times;
  const windows: FleetWindow<Counts>[] = [];
  const measure = async (name: string, ms: number, begin: () => Promise<void>): Promise<void> => {
    await world.take();
    await begin();
    await world.pass(ms);
    const window = { ...(await world.take()), name };
    windows.push(window);
    onWindow(window);
  };
  await fleet.addOthers();
  await measure('start', start + settle, () => fleet.start());
  const before = world.connections;
  await measure('idle', idle, async () => undefined);
  const connectionsOfApp = (before + world.connections) / 2 / shape.apps;
  fleet.beginCalls();
  for (const event of events) {
    if (event === 'deployment') {
      await measure(event, deployment, async () => fleet.deploy());
      // What the checks of new instances say reaches the catalog later, and would be a part of the next event.
      await world.pass(settle);
    } else {
      const lastsMs = event === 'datacenter cut off' ? WAN_CUT_MS : 0;
      await measure(event, lastsMs + afterFault, () => world.cause(event, lastsMs));
    }
  }
  await fleet.stop();
  return { shape, windows, connectionsOfApp };
}

/** The apps, and what they do by themselves. */
class Fleet {
  readonly #shape: FleetShape;
  readonly #world: FleetWorld<FleetCounts>;
  readonly #part: FleetPart;
  readonly #schedule = seededRandom(SCHEDULE_SEED);
  readonly #apps: (FleetMember | undefined)[] = [];
  #isCalling = false;
  #isStopping = false;

  constructor(shape: FleetShape, world: FleetWorld<FleetCounts>, part: FleetPart) {
    this.#shape = shape;
    this.#world = world;
    this.#part = part;
  }

  async addOthers(): Promise<void> {
    const { instances, apps, hosts, services } = this.#shape;
    const others = Array.from({ length: instances - apps }, (_, n) => {
      const service = nameOf(n % services);
      return { host: n % hosts, service, id: `${service}-other-${n}` };
    });
    await this.#world.addOthers(others);
  }

  async start(): Promise<void> {
    const { clock } = this.#world;
    for (let n = 0; n < this.#shape.apps; n++) {
      const app = await this.#newMember(n);
      this.#apps.push(app);
      clock.after(this.#shape.times.start * this.#schedule(), () => {
        app.start();
        if (this.#isOfPart(n)) this.#keepCalling(n);
      });
    }
  }

  beginCalls(): void {
    this.#isCalling = true;
  }

  /** The instances of each service one after the other: out, restarted, in again. */
  deploy(): void {
    const { apps, services, deployed, times } = this.#shape;
    const { clock } = this.#world;
    for (let service = 0; service < deployed; service++) {
      const members = Array.from({ length: apps }, (_, n) => n).filter((n) => n % services === service);
      const each = (times.deployment * 0.8) / members.length;
      const first = each * this.#schedule();
      for (const [turn, n] of members.entries())
        clock.after(first + turn * each, () => void this.#replace(n));
    }
  }

  async stop(): Promise<void> {
    this.#isCalling = false;
    this.#isStopping = true;
    const closed = Promise.all(this.#apps.flatMap((app) => app?.close() ?? []));
    await Promise.race([closed, this.#world.pass(STOP_MS)]);
    await closed;
    await this.#world.stop();
  }

  async #replace(n: number): Promise<void> {
    const old = this.#apps[n];
    if (!old) return;
    await old.deregister();
    await this.#after(DRAIN_MS);
    this.#world.hangUp(old.port);
    this.#apps[n] = undefined;
    await Promise.all([old.close(), this.#after(RESTART_MS)]);
    const app = await this.#newMember(n);
    this.#apps[n] = app;
    app.start();
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.clock.after(ms, resolve));
  }

  #keepCalling(n: number): void {
    const { clock, random } = this.#world;
    if (this.#isStopping) return;
    clock.after(CALL_EVERY_MS * (0.5 + random()), () => {
      const app = this.#isCalling ? this.#apps[n] : undefined;
      const service = this.#calledBy(n)[Math.floor(this.#shape.callsServices * random())];
      if (app instanceof FleetApp && service !== undefined)
        void app.call(service).then((isAnswered) => this.#world.called(!isAnswered));
      this.#keepCalling(n);
    });
  }

  #isOfPart(n: number): boolean {
    return (n % this.#shape.hosts) % this.#part.parts === this.#part.turn;
  }

  async #newMember(n: number): Promise<FleetMember> {
    const world = this.#world;
    const { hosts, services, remoteEvery } = this.#shape;
    const isOfPart = this.#isOfPart(n);
    const registered = {
      clock: world.clock,
      random: world.random,
      ...world.agentOf(n % hosts, isOfPart ? n : undefined),
      service: nameOf(n % services),
      port: await world.listen(),
    };
    if (!isOfPart) return new StandIn(registered);
    const calls = [...this.#calledBy(n)];
    if (remoteEvery > 0 && n % remoteEvery === 0) calls.push(`${nameOf(n % services)}@${OTHER_DATACENTER}`);
    return new FleetApp({ ...registered, calls, isUp: (port) => world.isUp(port) });
  }

  #calledBy(n: number): readonly string[] {
    const { services, callsServices } = this.#shape;
    return Array.from({ length: callsServices }, (_, of) => nameOf((n + 1 + of * of) % services));
  }
}

function nameOf(service: number): string {
  return `service-${service}`;
}
