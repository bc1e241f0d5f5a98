import type { Catalog } from '../catalog/catalog.js';
import type { NewCheck, NewNode, NewService } from '../catalog/catalog-types.js';
import { serverError } from '../http/api-error.js';
import type { IndexBook } from '../state/index-book.js';
import type { ControllableClock } from '../time/controllable-clock.js';
import { checkType, cutOutput, outputLimit, runCheck } from './check-runner.js';
import type { LocalCheck, LocalService } from './local-state.js';
import { proxyRecord } from './proxy.js';
import type { ServiceRegistration } from './registration.js';
import { sidecarId } from './sidecar.js';
import type { CheckBody, ServiceBody } from './service-schema.js';
import { checksOf } from './validate-service.js';

export interface AgentIdentity {
  readonly node: string;
  readonly nodeId: string;
  readonly address: string;
  readonly datacenter: string;
  readonly nodeMeta: Readonly<Record<string, string>>;
}

const NODE_MAINTENANCE = '_node_maintenance';
const serviceMaintenance = (id: string): string => `_service_maintenance:${id}`;
const LEAST_REAP_MS = 60_000;
const REAP_EVERY_MS = 30_000;
/** Topic of the agent's own record of a service, for hash blocking. */
export const localTopic = (id: string): string => `local:${id}`;

/** The services and checks of this agent, which it runs and writes to the catalog. */
export class Agent {
  readonly services = new Map<string, LocalService>();
  readonly checks = new Map<string, LocalCheck>();
  /** False while there is no leader: the catalog is then written when there is one again. */
  synced = true;

  constructor(
    readonly identity: AgentIdentity,
    private readonly catalog: Catalog,
    private readonly indexes: IndexBook,
    private readonly clock: ControllableClock,
    private readonly random: () => number,
  ) {
    this.#reapLater();
  }

  /** The node itself and its health, as an agent registers them when it joins. */
  join(): void {
    const { node, nodeId, address, datacenter, nodeMeta } = this.identity;
    const record: NewNode = {
      ID: nodeId,
      Node: node,
      Address: address,
      Datacenter: datacenter,
      TaggedAddresses: { lan: address, lan_ipv4: address, wan: address, wan_ipv4: address },
      Meta: { ...nodeMeta, 'consul-network-segment': '' },
    };
    const serf = this.#catalogCheck({
      id: 'serfHealth',
      name: 'Serf Health Status',
      notes: '',
      serviceId: '',
      type: '',
      status: 'passing',
      output: 'Agent alive and reachable',
    });
    this.catalog.register({ node: record, nodeName: node, checks: [serf] });
  }

  /** Registers it, and the sidecar that it asks for. */
  register({ service, sidecar }: ServiceRegistration, replaceExistingChecks: boolean): void {
    this.#register(service, replaceExistingChecks, undefined);
    if (sidecar) this.#register(sidecar, replaceExistingChecks, service.ID || service.Name);
  }

  #register(body: ServiceBody, replaceExistingChecks: boolean, owner: string | undefined): void {
    const name = body.Name ?? '';
    const service: LocalService = {
      id: body.ID || name,
      name,
      tags: body.Tags ?? [],
      meta: body.Meta ?? {},
      port: body.Port ?? 0,
      address: body.Address ?? '',
      taggedAddresses: taggedAddresses(body),
      weights: {
        Passing: body.Weights?.Passing ?? 1,
        Warning: body.Weights ? (body.Weights.Warning ?? 0) : 1,
      },
      enableTagOverride: body.EnableTagOverride ?? false,
      kind: body.Kind ?? '',
      native: body.Connect?.Native ?? false,
      proxy: proxyRecord(body.Proxy),
      sidecarOf: owner,
    };
    const definitions = checksOf(body);
    const wanted = definitions.map((definition, index) => ({
      definition,
      id:
        definition.CheckID ||
        (definitions.length > 1 ? `service:${service.id}:${index + 1}` : `service:${service.id}`),
    }));
    this.services.set(service.id, service);
    if (replaceExistingChecks) {
      const kept = new Set(wanted.map(({ id }) => id));
      for (const check of [...this.checks.values()]) {
        if (check.serviceId === service.id && !kept.has(check.id)) this.#dropCheck(check.id);
      }
    }
    for (const { id, definition } of wanted) {
      this.#addCheck(id, definition.Name || `Service '${name}' check`, service.id, definition);
    }
    this.#sync(service.id, true);
    this.#localChanged(service.id);
  }

  deregister(id: string): boolean {
    if (!this.services.delete(id)) return false;
    if (this.services.get(sidecarId(id))?.sidecarOf === id) this.deregister(sidecarId(id));
    for (const check of [...this.checks.values()])
      if (check.serviceId === id) this.#dropCheck(check.id, false);
    if (this.synced) this.catalog.deregister(this.identity.node, { service: id });
    this.#localChanged(id);
    this.#refreshAliases();
    return true;
  }

  registerCheck(id: string, body: CheckBody): void {
    const serviceId = body.ServiceID ?? '';
    if (serviceId && !this.services.has(serviceId)) {
      throw serverError(`ServiceID ${JSON.stringify(serviceId)} does not exist`);
    }
    this.#addCheck(id, body.Name ?? '', serviceId, body);
    this.#sync(serviceId);
  }

  deregisterCheck(id: string): boolean {
    if (!this.checks.has(id)) return false;
    this.#dropCheck(id);
    return true;
  }

  /** False when this is no TTL check of ours. */
  beat(id: string, status: string, output: string): boolean {
    const check = this.checks.get(id);
    if (check?.type !== 'ttl') return false;
    this.#startTtl(check);
    this.#setStatus(check, status, cutOutput(output, outputLimit(check.definition)));
    return true;
  }

  serviceMaintenance(id: string, on: boolean, reason: string): void {
    const notes =
      reason ||
      'Maintenance mode is enabled for this service, but no reason was provided. This is a default message.';
    this.#maintenance(serviceMaintenance(id), 'Service Maintenance Mode', id, on, notes);
  }

  nodeMaintenance(on: boolean, reason: string): void {
    const notes =
      reason ||
      'Maintenance mode is enabled for this node, but no reason was provided. This is a default message.';
    this.#maintenance(NODE_MAINTENANCE, 'Node Maintenance Mode', '', on, notes);
  }

  /** Like an empty agent: forgets its services and checks, and writes nothing. */
  forget(): void {
    for (const check of this.checks.values()) check.stop();
    const ids = [...this.services.keys()];
    this.services.clear();
    this.checks.clear();
    for (const id of ids) this.#localChanged(id);
  }

  /** Writes all that it holds to the catalog, as anti-entropy does. */
  syncAll(): void {
    this.join();
    for (const id of ['', ...this.services.keys()]) this.#sync(id);
    const { node } = this.identity;
    for (const { ID } of this.catalog.servicesOf(node)) {
      if (!this.services.has(ID)) this.catalog.deregister(node, { service: ID });
    }
  }

  stop(): void {
    for (const check of this.checks.values()) check.stop();
  }

  #maintenance(id: string, name: string, serviceId: string, on: boolean, notes: string): void {
    if (!on) {
      if (this.checks.has(id)) this.#dropCheck(id);
      return;
    }
    if (this.checks.has(id)) return;
    this.#putCheck(id, name, serviceId, { Notes: notes, Status: 'critical' }, 'maintenance');
    this.#sync(serviceId);
  }

  #addCheck(id: string, name: string, serviceId: string, definition: CheckBody): void {
    const existing = this.checks.get(id);
    const check = this.#putCheck(id, name, serviceId, definition, checkType(definition));
    if (existing) {
      // A check that exists keeps its state, whatever status the new definition asks for.
      check.status = existing.status;
      check.output = existing.output;
      check.criticalSince = existing.criticalSince;
    }
    if (check.type === 'ttl') this.#startTtl(check);
    else if (check.type === 'alias') this.#refreshAlias(check);
    else {
      check.stop = runCheck(definition, this.clock, this.random, ({ status, output }) =>
        this.#setStatus(check, status, output),
      );
    }
  }

  #putCheck(id: string, name: string, serviceId: string, definition: CheckBody, kind: string): LocalCheck {
    this.checks.get(id)?.stop();
    const status = definition.Status || 'critical';
    const check: LocalCheck = {
      id,
      name,
      notes: definition.Notes ?? '',
      serviceId,
      type: kind,
      definition,
      status,
      output: '',
      criticalSince: status === 'critical' ? this.clock.now() : undefined,
      stop: () => undefined,
    };
    this.checks.set(id, check);
    return check;
  }

  #dropCheck(id: string, write = true): void {
    const check = this.checks.get(id);
    check?.stop();
    this.checks.delete(id);
    if (write && this.synced) this.catalog.deregister(this.identity.node, { check: id });
    this.#refreshAliases();
  }

  #startTtl(check: LocalCheck): void {
    check.stop();
    check.stop = this.clock.after(check.definition.TTL ?? 0, () => {
      const last = check.output;
      const expired = last ? `TTL expired (last output before timeout follows): ${last}` : 'TTL expired';
      this.#setStatus(check, 'critical', expired);
    });
  }

  #setStatus(check: LocalCheck, status: string, output: string): void {
    const flipped = check.status !== status;
    check.output = output;
    if (!flipped) return; // a new output alone reaches the catalog only after five minutes
    check.status = status;
    check.criticalSince = status === 'critical' ? this.clock.now() : undefined;
    this.#sync(check.serviceId);
    this.#refreshAliases();
  }

  #refreshAliases(): void {
    for (const check of this.checks.values()) if (check.type === 'alias') this.#refreshAlias(check);
  }

  /** The worst status of the checks of the aliased service. */
  #refreshAlias(check: LocalCheck): void {
    const target = check.definition.AliasService ?? '';
    if (!this.services.has(target)) {
      this.#setStatus(
        check,
        'critical',
        `Service ${target} could not be found on node ${check.definition.AliasNode ?? ''}`,
      );
      return;
    }
    const aliased = [...this.checks.values()].filter(
      (other) => other !== check && (other.serviceId === target || other.serviceId === ''),
    );
    const worst =
      aliased.find(({ status }) => status === 'critical') ??
      aliased.find(({ status }) => status === 'warning');
    if (worst) this.#setStatus(check, worst.status, `Aliased check "${worst.name}" failing: ${worst.output}`);
    else this.#setStatus(check, 'passing', aliased.length > 0 ? 'All checks passing.' : 'No checks found.');
  }

  /** `deregister_critical_service_after`, evaluated every 30 s. */
  #reapLater(): void {
    this.clock.after(REAP_EVERY_MS, () => {
      this.#reap();
      this.#reapLater();
    });
  }

  #reap(): void {
    const now = this.clock.now();
    for (const check of [...this.checks.values()]) {
      const after = check.definition.DeregisterCriticalServiceAfter;
      if (!after || check.criticalSince === undefined) continue;
      if (now - check.criticalSince > Math.max(after, LEAST_REAP_MS)) this.deregister(check.serviceId);
    }
  }

  /** One service, or with "" the checks of the node, with all its checks. */
  #sync(serviceId: string, rewritesChecks = false): void {
    if (!this.synced) return;
    const service = this.services.get(serviceId);
    if (!service && serviceId !== '') return;
    const checks = [...this.checks.values()].filter((check) => check.serviceId === serviceId);
    // It was taken out of the catalog, and an agent puts back what it has.
    if (!this.catalog.hasNode(this.identity.node)) this.join();
    this.catalog.register({
      node: undefined,
      nodeName: this.identity.node,
      service: service && catalogService(service),
      checks: checks.map((check) => this.#catalogCheck(check)),
      rewritesChecks,
    });
  }

  #catalogCheck(
    check: Pick<LocalCheck, 'id' | 'name' | 'notes' | 'serviceId' | 'type' | 'status' | 'output'>,
  ): NewCheck {
    const service = this.services.get(check.serviceId);
    const { node } = this.identity;
    const known = this.catalog.checksOf(node).find(({ CheckID }) => CheckID === check.id);
    return {
      Node: node,
      CheckID: check.id,
      Name: check.name,
      Status: check.status,
      Notes: check.notes,
      // An output is written to the catalog together with its status.
      Output: known?.Status === check.status ? known.Output : check.output,
      ServiceID: check.serviceId,
      ServiceName: service?.name ?? '',
      ServiceTags: service?.tags ?? [],
      Type: check.type,
      Definition: {},
    };
  }

  #localChanged(id: string): void {
    this.indexes.changed(this.indexes.last, [localTopic(id)]);
  }
}

function taggedAddresses(body: ServiceBody): LocalService['taggedAddresses'] {
  const port = body.Port ?? 0;
  const given = Object.fromEntries(
    Object.entries(body.TaggedAddresses ?? {}).map(([name, { Address = '', Port = 0 }]) => [
      name,
      { Address, Port },
    ]),
  );
  if (!body.Address || !/^\d+\.\d+\.\d+\.\d+$/.test(body.Address)) {
    return Object.keys(given).length > 0 ? given : undefined;
  }
  // An explicit address is also the LAN and WAN address.
  const own = { Address: body.Address, Port: port };
  return { ...given, lan_ipv4: given.lan_ipv4 ?? own, wan_ipv4: given.wan_ipv4 ?? own };
}

function catalogService(service: LocalService): NewService {
  return {
    ...(service.kind ? { Kind: service.kind } : {}),
    ID: service.id,
    Service: service.name,
    Tags: service.tags,
    Address: service.address,
    ...(service.taggedAddresses ? { TaggedAddresses: service.taggedAddresses } : {}),
    Meta: Object.keys(service.meta).length > 0 ? service.meta : null,
    Port: service.port,
    Weights: service.weights,
    EnableTagOverride: service.enableTagOverride,
    Proxy: service.proxy,
    Connect: service.native ? { Native: true } : {},
  };
}
