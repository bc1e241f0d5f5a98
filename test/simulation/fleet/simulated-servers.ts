import type { VirtualClock } from '../virtual-clock.js';
import type { CatalogEntry } from './catalog-entry.js';
import type { FleetTraffic } from './fleet-traffic.js';

interface Topic {
  index: number;
  /** The response, as long as nothing changes. */
  body: Buffer | undefined;
  readonly waiting: Set<() => void>;
}

export interface CatalogAnswer {
  readonly status: number;
  readonly index: number;
  readonly body: Buffer;
}

/** A blocking read: its index, and how long it waits. */
export interface CatalogRead {
  readonly index: number;
  readonly waitMs: number;
  readonly isStale: boolean;
  /** Its index is that of the last change of any check, and only a change of its own ones wakes it. */
  readonly ofAllChecks?: boolean;
  /** The way from the agent to the leader. */
  readonly connection: Connection;
}

/** What a read depends on for as long as it waits. */
export class Connection {
  readonly #waiting = new Set<() => void>();

  /** @returns ends it */
  onEnd(callback: () => void): () => void {
    this.#waiting.add(callback);
    return () => void this.#waiting.delete(callback);
  }

  end(): void {
    for (const callback of [...this.#waiting]) callback();
  }
}

/** Consul's `rpc_hold_timeout`: without a leader a read is held for as long. */
const HOLD_MS = 7_000;
/** A sixteenth of it, as Consul has it. */
const RETRY_MS = HOLD_MS / 16;
/** As measured of a cluster of three: a change is with its watchers after 1 to 8 ms. */
const WAKE_MS = 7;
const NO_LEADER = 'rpc error making call: No cluster leader';
const BROKEN = 'rpc error making call: EOF';

/** The servers of a datacenter: a catalog, its index, and the reads that wait for a change of it. */
export class SimulatedServers {
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #traffic: FleetTraffic;
  readonly #topics = new Map<string, Topic>();
  readonly #services = new Map<string, Map<string, CatalogEntry>>();
  readonly #nodes = new Map<string, Map<string, CatalogEntry>>();
  #leading: Connection | undefined = new Connection();
  #index = 100;
  #waiting = 0;

  constructor(clock: VirtualClock, random: () => number, traffic: FleetTraffic) {
    this.#clock = clock;
    this.#random = random;
    this.#traffic = traffic;
  }

  /** The reads that wait for a change. */
  get blocked(): number {
    return this.#waiting;
  }

  async hasLeader(): Promise<boolean> {
    this.#traffic.readOfServer();
    return this.#leading !== undefined;
  }

  /** Reads that wait at the leader fail at once; until there is another one, further ones are held. */
  loseLeader(forMs: number): void {
    const leading = this.#leading;
    this.#leading = undefined;
    leading?.end();
    this.#clock.after(forMs, () => (this.#leading = new Connection()));
  }

  async put(entry: CatalogEntry): Promise<void> {
    await this.#leader();
    this.#traffic.writeOfServer();
    this.#of(this.#services, entry.service).set(`${entry.node} ${entry.id}`, entry);
    this.#of(this.#nodes, entry.node).set(entry.id, entry);
    this.#changed(entry);
  }

  async remove(node: string, id: string): Promise<void> {
    await this.#leader();
    this.#traffic.writeOfServer();
    const entry = this.#nodes.get(node)?.get(id);
    if (!entry) return;
    this.#nodes.get(node)?.delete(id);
    this.#services.get(entry.service)?.delete(`${node} ${id}`);
    this.#changed(entry);
  }

  /** Of one node: all that it has. */
  instancesOn(node: string, service: string): readonly CatalogEntry[] {
    return [...(this.#services.get(service)?.values() ?? [])].filter((entry) => entry.node === node);
  }

  async health(service: string, read: CatalogRead): Promise<CatalogAnswer> {
    return this.#read(`service ${service}`, read, () =>
      [...(this.#services.get(service)?.values() ?? [])].map(({ json, checks }) => ({
        ...json,
        Checks: checks,
      })),
    );
  }

  async checksOf(node: string, read: CatalogRead): Promise<CatalogAnswer> {
    return this.#read(`node ${node}`, { ...read, ofAllChecks: true }, () => {
      const all = [...(this.#nodes.get(node)?.values() ?? [])].flatMap(({ checks }) => checks);
      // That of the node itself is with each instance.
      return [...new Map(all.map((check) => [check.CheckID, check])).values()];
    });
  }

  async #read(name: string, read: CatalogRead, list: () => readonly unknown[]): Promise<CatalogAnswer> {
    this.#traffic.readOfServer();
    if (!read.isStale && !(await this.#hasLeader())) return failure(NO_LEADER);
    const topic = this.#topic(name);
    const index = (): number => (read.ofAllChecks === true ? this.#index : topic.index);
    let end: 'changed' | 'over' | 'broken' = 'changed';
    if (read.index > 0 && index() <= read.index) end = await this.#wait(topic, read);
    if (end === 'broken') return failure(BROKEN);
    topic.body ??= Buffer.from(JSON.stringify(list()));
    return { status: 200, index: end === 'over' ? read.index : index(), body: topic.body };
  }

  #wait(topic: Topic, { waitMs, isStale, connection }: CatalogRead): Promise<'changed' | 'over' | 'broken'> {
    this.#waiting++;
    return new Promise((resolve) => {
      const end = (how: 'changed' | 'over' | 'broken'): void => {
        this.#waiting--;
        topic.waiting.delete(onChange);
        cancel();
        for (const release of releases) release();
        resolve(how);
      };
      const onBroken = (): void => end('broken');
      // It answers a moment after the change, and further changes in between are in its answer.
      const onChange = (): void => {
        topic.waiting.delete(onChange);
        cancel();
        cancel = this.#clock.after(1 + WAKE_MS * this.#random(), () => end('changed'));
      };
      let cancel = this.#clock.after(waitMs * (1 + this.#random() / 16), () => end('over'));
      topic.waiting.add(onChange);
      const ways = isStale ? [connection] : [connection, this.#leading];
      const releases = ways.map((way) => way?.onEnd(onBroken) ?? (() => undefined));
    });
  }

  /** An agent tries again, each time after a random time, for as long as Consul lets it hold the request. */
  async #hasLeader(): Promise<boolean> {
    const until = this.#clock.now() + HOLD_MS;
    while (!this.#leading) {
      if (this.#clock.now() >= until) return false;
      await new Promise<void>((resolve) => this.#clock.after(RETRY_MS * this.#random(), resolve));
    }
    return true;
  }

  /** A write is tried again by the agent until there is one. */
  async #leader(): Promise<void> {
    while (!(await this.#hasLeader()));
  }

  #changed({ service, node }: CatalogEntry): void {
    this.#index++;
    for (const name of [`service ${service}`, `node ${node}`]) {
      const topic = this.#topic(name);
      topic.index = this.#index;
      topic.body = undefined;
      for (const wake of [...topic.waiting]) wake();
    }
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (!topic) this.#topics.set(name, (topic = { index: this.#index, body: undefined, waiting: new Set() }));
    return topic;
  }

  #of(all: Map<string, Map<string, CatalogEntry>>, name: string): Map<string, CatalogEntry> {
    let found = all.get(name);
    if (!found) all.set(name, (found = new Map<string, CatalogEntry>()));
    return found;
  }
}

function failure(text: string): CatalogAnswer {
  return { status: 500, index: 1, body: Buffer.from(text) };
}
