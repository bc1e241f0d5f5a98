import { hostname } from 'node:os';
import type { CheckStatus, RegistrationRecord, ServiceRegistration } from '@rookery/discovery/adapter';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdError } from '../client/etcd-error.js';
import type { EtcdRequestOptions } from '../client/etcd-members.js';
import { encodeValue, statusOf, type InstanceLayout, type InstanceValue } from './instance-value.js';
import { LeaseKeeper, type LeaseKeeperTools } from './lease-keeper.js';

export interface OwnRegistrationTools extends Omit<LeaseKeeperTools, 'leases'> {
  readonly client: EtcdClient;
  readonly layout: InstanceLayout;
  /** Of the lease, in seconds. */
  readonly ttl: number;
}

/** What this process has registered under one id: a key with a lease of its own. */
export class OwnRegistration {
  readonly key: string;
  readonly #tools: OwnRegistrationTools;
  #value: InstanceValue;
  #keeper: LeaseKeeper | undefined;
  /** Writes of one key are made one after the other. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(key: string, registration: ServiceRegistration, tools: OwnRegistrationTools) {
    this.key = key;
    this.#value = toInstanceValue(registration);
    this.#tools = tools;
  }

  /** The lease that it is put with; undefined: none, or it is gone. */
  get lease(): LeaseKeeper | undefined {
    return this.#keeper?.isLost ? undefined : this.#keeper;
  }

  /** As it was put last. */
  get text(): string {
    return encodeValue(this.#value, this.#tools.layout);
  }

  get status(): RegistrationRecord['status'] {
    return statusOf(this.#value);
  }

  async register(registration: ServiceRegistration, options: EtcdRequestOptions): Promise<void> {
    await this.#write(toInstanceValue(registration), options);
  }

  /** @throws EtcdError `RK_NOT_FOUND` when its lease is gone */
  async report(status: CheckStatus, output: string, options: EtcdRequestOptions): Promise<void> {
    if (!this.lease) throw new EtcdError('RK_NOT_FOUND', `the lease of ${this.key} is gone`);
    // The lease says that the app lives: a status is written only when it is another one.
    if (this.#value.status === status) return;
    await this.#write(
      { ...this.#value, status, ...(status === 'passing' ? { output: undefined } : { output }) },
      options,
    );
  }

  async setMaintenance(reason: string | undefined, options: EtcdRequestOptions): Promise<void> {
    await this.#write({ ...this.#value, maintenance: reason }, options);
  }

  /** Removes it, and nothing that another process has put since under its key. */
  async remove(options: EtcdRequestOptions): Promise<void> {
    const lease = this.#keeper;
    this.stop();
    if (!lease) return;
    await this.#tools.client.lease.revoke(lease.id, options).catch((error: unknown) => {
      if (!(error instanceof EtcdError) || error.code !== 'RK_NOT_FOUND') throw error;
    });
  }

  /** It is not kept alive any longer: it is there until its lease ends. */
  stop(): void {
    this.#keeper?.stop();
  }

  async #write(value: InstanceValue, options: EtcdRequestOptions): Promise<void> {
    const written = this.#writing.catch(() => undefined).then(() => this.#put(value, options));
    this.#writing = written;
    await written;
  }

  async #put(value: InstanceValue, options: EtcdRequestOptions): Promise<void> {
    const { client, layout, ttl, clock, random } = this.#tools;
    // Before it is sent: the watch of the key may see it before the response is here.
    this.#value = value;
    const text = encodeValue(value, layout);
    const { lease } = this;
    if (lease) {
      try {
        await client.kv.put(this.key, text, { ...options, lease: lease.id });
        return;
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code !== 'RK_NOT_FOUND') throw error;
      }
    }
    this.#keeper?.stop();
    const granted = await client.lease.grant(ttl, options);
    this.#keeper = new LeaseKeeper(granted, { leases: client.lease, clock, random });
    await client.kv.put(this.key, text, { ...options, lease: granted.id });
  }
}

function toInstanceValue(registration: ServiceRegistration): InstanceValue {
  const { address = '127.0.0.1', port, secure, tags, meta, weights, status, maintenance } = registration;
  return {
    ...{ address, port, secure, status, maintenance },
    tags: [...tags],
    meta: { ...meta },
    weights: { ...(weights ?? { passing: 1, warning: 1 }) },
    zone: meta.zone,
    taggedAddresses: { ...registration.taggedAddresses },
    node: hostname(),
  };
}
