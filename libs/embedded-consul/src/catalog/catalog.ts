import { isDeepStrictEqual } from 'node:util';
import type { IndexBook } from '../state/index-book.js';
import type {
  CheckRecord,
  NewCheck,
  NewNode,
  NewService,
  NodeRecord,
  ServiceRecord,
} from './catalog-types.js';

/** Topics of the index book. */
export const NODES = 'nodes';
export const SERVICES = 'services';
export const CHECKS = 'checks';
/** A service whose last instance was removed. */
export const EXTINCTION = 'extinction';
export const serviceTopic = (name: string): string => `service:${name}`;
export const serviceNodesTopic = (name: string): string => `service-nodes:${name}`;
export const serviceChecksTopic = (name: string): string => `service-checks:${name}`;
export const nodeChecksTopic = (name: string): string => `node-checks:${name}`;
export const nodeTopic = (name: string): string => `node:${name}`;

export interface Registration {
  readonly node: NewNode | undefined;
  readonly nodeName: string;
  readonly service?: NewService | undefined;
  readonly checks?: readonly NewCheck[] | undefined;
  /** An agent that registers again writes its checks again: blocking queries on checks return although nothing changed. */
  readonly rewritesChecks?: boolean;
}

/** A check that became critical or is gone, or a node. */
interface Lost {
  readonly node: string;
  readonly check?: string;
}

interface Batch {
  readonly index: number;
  readonly topics: Set<string>;
  readonly lost: Lost[];
}

interface NodeEntry {
  node: NodeRecord;
  readonly services: Map<string, ServiceRecord>;
  readonly checks: Map<string, CheckRecord>;
}

/** The catalog of the servers: nodes with their services and checks. Writing the same value again changes nothing. */
export class Catalog {
  readonly #nodes = new Map<string, NodeEntry>();
  /** Called for a check that became critical, and for removed nodes and checks: sessions depend on them. */
  onLost: (lost: Lost) => void = () => undefined;

  /** Changes that take effect together, or not at all. */
  #batch: Batch | undefined;

  constructor(private readonly indexes: IndexBook) {}

  /**
   * Makes changes at one index; where one of them fails nothing has happened.
   *
   * @param work whether to keep them
   * @returns the topics that they changed, for the caller to tell with its own; undefined: nothing was kept
   */
  together(index: number, work: () => boolean): { topics: readonly string[]; tell: () => void } | undefined {
    const before = new Map(
      [...this.#nodes].map(([name, { node, services, checks }]) => [
        name,
        { node, services: new Map(services), checks: new Map(checks) },
      ]),
    );
    const batch: Batch = { index, topics: new Set(), lost: [] };
    this.#batch = batch;
    let isKept = false;
    try {
      isKept = work();
    } finally {
      this.#batch = undefined;
      if (!isKept) {
        this.#nodes.clear();
        for (const [name, entry] of before) this.#nodes.set(name, entry);
      }
    }
    if (!isKept) return undefined;
    return { topics: [...batch.topics], tell: () => batch.lost.forEach((lost) => this.onLost(lost)) };
  }

  get #nextIndex(): number {
    return this.#batch?.index ?? this.indexes.last + 1;
  }

  clear(): void {
    this.#nodes.clear();
  }

  nodes(): NodeRecord[] {
    return [...this.#nodes.values()].map(({ node }) => node).sort(by('Node'));
  }

  node(name: string): NodeRecord | undefined {
    return this.#nodes.get(name)?.node;
  }

  servicesOf(node: string): ServiceRecord[] {
    return [...(this.#nodes.get(node)?.services.values() ?? [])].sort(by('ID'));
  }

  checksOf(node: string): CheckRecord[] {
    return [...(this.#nodes.get(node)?.checks.values() ?? [])].sort(by('CheckID'));
  }

  allChecks(): CheckRecord[] {
    return this.nodes().flatMap(({ Node }) => this.checksOf(Node));
  }

  /** Instances with their node, by node and id. */
  instances(service: string): { node: NodeRecord; service: ServiceRecord }[] {
    return this.nodes().flatMap((node) =>
      this.servicesOf(node.Node)
        .filter(({ Service }) => Service === service)
        .map((found) => ({ node, service: found })),
    );
  }

  /** Instances that are reached over the mesh: they speak it, or are a proxy for the service. */
  connectInstances(service: string): { node: NodeRecord; service: ServiceRecord }[] {
    return this.nodes().flatMap((node) =>
      this.servicesOf(node.Node)
        .filter((found) =>
          found.Kind === 'connect-proxy'
            ? found.Proxy.DestinationServiceName === service
            : found.Service === service && found.Connect.Native === true,
        )
        .map((found) => ({ node, service: found })),
    );
  }

  /** Names with the tags of all their instances. */
  serviceNames(on: (node: NodeRecord) => boolean = () => true): Map<string, Set<string>> {
    const names = new Map<string, Set<string>>();
    for (const { node, services } of this.#nodes.values()) {
      if (!on(node)) continue;
      for (const { Service, Tags } of services.values()) {
        const tags = names.get(Service) ?? new Set();
        for (const tag of Tags) tags.add(tag);
        names.set(Service, tags);
      }
    }
    return names;
  }

  /** The index that a read of this service's health answers. */
  serviceIndex(name: string, exists: boolean): number {
    if (exists) return this.indexes.of(serviceTopic(name));
    return this.indexes.of(EXTINCTION) || this.indexes.of(NODES, SERVICES, CHECKS);
  }

  register({ node, nodeName, service, checks = [], rewritesChecks = false }: Registration): void {
    const index = this.#nextIndex;
    const topics = new Set<string>();
    const lost: Lost[] = [];
    let entry = this.#nodes.get(nodeName);
    if (node && (!entry || !sameBut(entry.node, node))) {
      const CreateIndex = entry?.node.CreateIndex ?? index;
      const record: NodeRecord = { ...node, CreateIndex, ModifyIndex: index };
      entry = {
        node: record,
        services: entry?.services ?? new Map<string, ServiceRecord>(),
        checks: entry?.checks ?? new Map<string, CheckRecord>(),
      };
      this.#nodes.set(nodeName, entry);
      this.#touchNode(entry, topics);
      topics.add(NODES);
    }
    if (!entry) throw new Error('Missing node registration');
    if (service) this.#putService(entry, service, index, topics);
    for (const check of checks) {
      this.#putCheck(entry, check, index, topics, lost);
      if (rewritesChecks) this.#touchChecks(entry, check, topics);
    }
    this.#commit(index, topics, lost);
  }

  hasNode(name: string): boolean {
    return this.#nodes.has(name);
  }

  deregister(nodeName: string, what: { service?: string; check?: string } = {}): void {
    const entry = this.#nodes.get(nodeName);
    if (!entry) return;
    const index = this.#nextIndex;
    const topics = new Set<string>();
    const lost: Lost[] = [];
    if (what.service) this.#dropService(entry, what.service, topics, lost);
    else if (what.check) this.#dropCheck(entry, what.check, topics, lost);
    else {
      for (const id of [...entry.services.keys()]) this.#dropService(entry, id, topics, lost);
      for (const id of [...entry.checks.keys()]) this.#dropCheck(entry, id, topics, lost);
      this.#nodes.delete(nodeName);
      topics.add(NODES).add(nodeTopic(nodeName)).add(nodeChecksTopic(nodeName));
      lost.push({ node: nodeName });
    }
    this.#commit(index, topics, lost);
  }

  #putService(entry: NodeEntry, service: NewService, index: number, topics: Set<string>): void {
    const existing = entry.services.get(service.ID);
    if (existing && sameBut(existing, service)) return;
    const CreateIndex = existing?.CreateIndex ?? index;
    entry.services.set(service.ID, { ...service, CreateIndex, ModifyIndex: index });
    if (existing && existing.Service !== service.Service) this.#extinguish(existing.Service, topics);
    for (const name of [service.Service, existing?.Service ?? service.Service]) {
      topics.add(serviceTopic(name)).add(serviceNodesTopic(name));
    }
    topics.add(SERVICES).add(nodeTopic(entry.node.Node));
  }

  #putCheck(entry: NodeEntry, check: NewCheck, index: number, topics: Set<string>, lost: Lost[]): void {
    const existing = entry.checks.get(check.CheckID);
    const owner = entry.services.get(check.ServiceID);
    const whole: NewCheck = owner ? { ...check, ServiceName: owner.Service, ServiceTags: owner.Tags } : check;
    if (existing && sameBut(existing, whole)) return;
    const CreateIndex = existing?.CreateIndex ?? index;
    entry.checks.set(check.CheckID, { ...whole, CreateIndex, ModifyIndex: index });
    this.#touchCheck(entry, whole, topics);
    if (existing && existing.ServiceID !== whole.ServiceID) this.#touchCheck(entry, existing, topics);
    if (whole.Status === 'critical') lost.push({ node: entry.node.Node, check: check.CheckID });
  }

  #dropService(entry: NodeEntry, id: string, topics: Set<string>, lost: Lost[]): void {
    const service = entry.services.get(id);
    if (!service) return;
    for (const check of [...entry.checks.values()].filter(({ ServiceID }) => ServiceID === id)) {
      entry.checks.delete(check.CheckID);
      this.#touchChecks(entry, check, topics);
      lost.push({ node: entry.node.Node, check: check.CheckID });
    }
    entry.services.delete(id);
    topics.add(SERVICES).add(nodeTopic(entry.node.Node));
    topics.add(serviceTopic(service.Service)).add(serviceNodesTopic(service.Service));
    this.#extinguish(service.Service, topics);
  }

  #dropCheck(entry: NodeEntry, id: string, topics: Set<string>, lost: Lost[]): void {
    const check = entry.checks.get(id);
    if (!check) return;
    entry.checks.delete(id);
    this.#touchCheck(entry, check, topics);
    lost.push({ node: entry.node.Node, check: id });
  }

  /** A check of a service moves that service; a check of a node moves every service on it. */
  #touchCheck(entry: NodeEntry, check: NewCheck, topics: Set<string>): void {
    this.#touchChecks(entry, check, topics);
    if (check.ServiceID) topics.add(serviceTopic(check.ServiceName));
    else this.#touchNode(entry, topics);
  }

  #touchChecks(entry: NodeEntry, check: NewCheck, topics: Set<string>): void {
    topics.add(CHECKS).add(nodeChecksTopic(entry.node.Node));
    if (check.ServiceName) topics.add(serviceChecksTopic(check.ServiceName));
  }

  #touchNode(entry: NodeEntry, topics: Set<string>): void {
    topics.add(nodeTopic(entry.node.Node));
    for (const { Service } of entry.services.values()) topics.add(serviceTopic(Service));
  }

  #extinguish(name: string, topics: Set<string>): void {
    if (this.instances(name).length === 0) topics.add(EXTINCTION);
  }

  #commit(index: number, topics: Set<string>, lost: readonly Lost[]): void {
    if (this.#batch) {
      for (const topic of topics) this.#batch.topics.add(topic);
      this.#batch.lost.push(...lost);
      return;
    }
    if (topics.size > 0) {
      this.indexes.next();
      this.indexes.changed(index, topics);
    }
    for (const each of lost) this.onLost(each);
  }
}

function sameBut(record: object, written: object): boolean {
  const { CreateIndex: _create, ModifyIndex: _modify, ...rest } = record as Record<string, unknown>;
  return isDeepStrictEqual(rest, { ...written });
}

function by<K extends string>(key: K): (a: Record<K, string>, b: Record<K, string>) => number {
  return (a, b) => (a[key] < b[key] ? -1 : Number(a[key] > b[key]));
}
