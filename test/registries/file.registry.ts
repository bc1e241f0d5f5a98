import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DiscoveryError, type InstanceStatus, type ServiceInstance } from '@rookery/discovery';
import {
  type CheckStatus,
  delay,
  freezeInstance,
  type InstanceList,
  type RegistrationChange,
  type RegistrationRecord,
  type ServiceRegistration,
  ServiceRegistry,
  type SourceQuery,
  systemClock,
} from '@rookery/discovery/adapter';

/** What the file `<folder>/<service>/<id>.json` has. */
type Entry = ServiceRegistration & { readonly output: string };

const LOOK_EVERY_MS = 100;
const NO_NAME = /[/\\]|^\.+$/;

/** A registry in a folder that the processes of one host share: complete, and as small as one can be. */
export class FileRegistry extends ServiceRegistry {
  override readonly description: string;
  // On one host there is one address, and no connection that could be lost.
  override readonly host = '127.0.0.1';
  override readonly knowsNodeAddress = false;
  override readonly disconnects = 0;
  override readonly credentials = 0;

  constructor(private readonly folder: string) {
    super();
    this.description = `the folder ${folder}`;
  }

  override async register(registration: ServiceRegistration, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.write({ ...registration, output: '' });
  }

  override async deregister({ service, id }: Pick<ServiceRegistration, 'service' | 'id'>): Promise<void> {
    rmSync(this.fileOf(service, id), { force: true });
  }

  override async read({ service, id }: ServiceRegistration): Promise<RegistrationRecord | undefined> {
    const entry = this.entries(service).find((each) => each.id === id);
    if (!entry) return undefined;
    const { checks, weights = { passing: 1, warning: 1 }, output } = entry;
    const failing = entry.status === 'critical' ? checks.map((check) => ({ id: check.id, output })) : [];
    return { ...entry, weights, status: statusOf(entry), failing };
  }

  override async waitForChange(
    registration: ServiceRegistration,
    record: RegistrationRecord,
    onStatus: (status: InstanceStatus) => void,
    signal: AbortSignal,
  ): Promise<RegistrationChange> {
    onStatus(record.status);
    const seen = JSON.stringify(record);
    while (JSON.stringify(await this.read(registration)) === seen)
      await delay(systemClock, LOOK_EVERY_MS, signal);
    return 'changed';
  }

  override async report(checkId: string, status: CheckStatus, output: string): Promise<void> {
    const entry = this.find(({ checks }) => checks.some(({ id }) => id === checkId));
    this.write({ ...entry, status, output });
  }

  override async setMaintenance(id: string, reason: string | undefined): Promise<void> {
    this.write({ ...this.find((each) => each.id === id), maintenance: reason });
  }

  override async *watch(
    service: string,
    query: SourceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    for (let last = ''; ;) {
      const instances = await this.readConsistent(service, query);
      const text = JSON.stringify(instances);
      if (text !== last) yield { instances, source: 'live', mode: 'polled' };
      last = text;
      await delay(systemClock, LOOK_EVERY_MS, signal);
    }
  }

  override async readConsistent(service: string, query: SourceQuery): Promise<readonly ServiceInstance[]> {
    const [field] = Object.keys(query);
    if (field !== undefined)
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `query.${field}: not supported by ${this.description}`);
    return this.entries(service).map(toInstance);
  }

  override async services(): Promise<Record<string, string[]>> {
    const tagsOf = (service: string): string[] => this.entries(service).flatMap(({ tags }) => tags);
    return Object.fromEntries(namesIn(this.folder).map((service) => [service, tagsOf(service)]));
  }

  override async ping(): Promise<{ leader: boolean }> {
    return { leader: true };
  }

  override async close(): Promise<void> {
    return; // It keeps nothing open.
  }

  private find(isIt: (entry: Entry) => boolean): Entry {
    const entry = namesIn(this.folder)
      .flatMap((service) => this.entries(service))
      .find(isIt);
    if (!entry) throw new DiscoveryError('RK_NOT_FOUND', `there is nothing such in ${this.description}`);
    return entry;
  }

  private entries(service: string): readonly Entry[] {
    const folder = join(this.folder, service);
    const files = namesIn(folder).filter((name) => name.endsWith('.json'));
    return files.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Entry);
  }

  private write(entry: Entry): void {
    const file = this.fileOf(entry.service, entry.id);
    mkdirSync(join(this.folder, entry.service), { recursive: true });
    // A reader never sees half of it.
    writeFileSync(`${file}.new`, JSON.stringify(entry));
    renameSync(`${file}.new`, file);
  }

  private fileOf(service: string, id: string): string {
    if (NO_NAME.test(service) || NO_NAME.test(id))
      throw new DiscoveryError('RK_REGISTRY_BAD_REQUEST', `"${service}" or "${id}" is no name of a file`);
    return join(this.folder, service, `${id}.json`);
  }
}

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
const statusOf = ({ maintenance, status }: Entry): InstanceStatus =>
  maintenance === undefined ? status : 'maintenance';

function toInstance(entry: Entry): ServiceInstance {
  const { id, service, address = '127.0.0.1', port, secure, tags, meta, weights } = entry;
  const status = statusOf(entry);
  const weight = (status === 'warning' ? weights?.warning : weights?.passing) ?? 1;
  const place = { zone: meta.zone, node: 'this host', datacenter: 'local' };
  return freezeInstance({ id, service, address, port, secure, tags, meta, status, weight, ...place });
}
