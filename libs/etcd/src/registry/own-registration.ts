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

/** Of one key: earlier ones have ended meanwhile. */
const MAX_LEASES = 8;

/** What this process has registered under one id: a key with a lease of its own. */
export class OwnRegistration {
  readonly key: string;
  readonly #tools: OwnRegistrationTools;
  /** As it was put last, or is about to be. */
  #value: InstanceValue;
  /** As etcd has confirmed it; undefined: a write has failed, and may have been done. */
  #confirmed: string | undefined;
  #keeper: LeaseKeeper | undefined;
  /** Of the key, renewed or not; several where it is not known which write was done. */
  readonly #leaseIds = new Set<bigint>();
  #isStopped = false;
  /** Writes of one key are made one after the other. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(key: string, registration: ServiceRegistration, tools: OwnRegistrationTools) {
    this.key = key;
    this.#value = toInstanceValue(registration);
    this.#tools = tools;
  }

  /** The lease that keeps it; undefined: there is none, or it is gone. */
  get lease(): LeaseKeeper | undefined {
    return this.#keeper?.isLost ? undefined : this.#keeper;
  }

  get text(): string {
    return encodeValue(this.#value, this.#tools.layout);
  }

  get status(): RegistrationRecord['status'] {
    return statusOf(this.#value);
  }

  /**
   * @param seen the revision of the key when it was read last, 0 for none; undefined: whatever is there is replaced
   * @throws EtcdError `RK_TRANSACTION_CONFLICT` when another process has written the key since
   */
  async register(
    registration: ServiceRegistration,
    seen: bigint | undefined,
    options: EtcdRequestOptions,
  ): Promise<void> {
    this.#isStopped = false;
    await this.#enqueue(async () => {
      const value = toInstanceValue(registration);
      if (this.lease) {
        const isDone = await this.#update(value, options).then(
          () => true,
          (error: unknown) => {
            if (!isGone(error)) throw error;
            return false;
          },
        );
        if (isDone) return;
      }
      await this.#create(value, seen, options);
    });
  }

  /** @throws EtcdError `RK_NOT_FOUND` when its lease is gone */
  async report(status: CheckStatus, output: string, options: EtcdRequestOptions): Promise<void> {
    await this.#enqueue(async () => {
      const said = status === 'passing' ? undefined : output;
      // The lease says that the app lives: what it says is written only with another status.
      if (this.lease && this.#confirmed === this.text && this.#value.status === status) return;
      await this.#update({ ...this.#value, status, output: said }, options);
    });
  }

  async setMaintenance(reason: string | undefined, options: EtcdRequestOptions): Promise<void> {
    await this.#enqueue(() => this.#update({ ...this.#value, maintenance: reason }, options));
  }

  /** Removes it, and nothing that another process has put since under its key. */
  async remove(options: EtcdRequestOptions): Promise<void> {
    this.stop();
    // After a write that is under way, which would put it there again.
    await this.#enqueue(async () => {
      for (const id of this.#leaseIds) {
        await this.#tools.client.lease.revoke(id, options).catch((error: unknown) => {
          if (!isGone(error)) throw error;
        });
        this.#leaseIds.delete(id);
      }
    });
  }

  /** It is not kept alive any longer: it is there until its lease ends. */
  stop(): void {
    this.#isStopped = true;
    this.#keeper?.stop();
    this.#keeper = undefined;
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#writing.catch(() => undefined).then(work);
    this.#writing = done;
    return done;
  }

  /** With the lease that it has. */
  async #update(value: InstanceValue, options: EtcdRequestOptions): Promise<void> {
    const { lease } = this;
    if (!lease) throw new EtcdError('RK_NOT_FOUND', `the lease of ${this.key} is gone`);
    await this.#put(value, (text) =>
      this.#tools.client.kv.put(this.key, text, { ...options, lease: lease.id }),
    );
  }

  /** With a new one. */
  async #create(value: InstanceValue, seen: bigint | undefined, options: EtcdRequestOptions): Promise<void> {
    const { client, ttl, clock, random } = this.#tools;
    this.#keeper?.stop();
    const granted = await client.lease.grant(ttl, options);
    this.#leaseIds.add(granted.id);
    const [oldest] = this.#leaseIds;
    if (this.#leaseIds.size > MAX_LEASES && oldest !== undefined) this.#leaseIds.delete(oldest);
    this.#assertRunning();
    await this.#put(value, async (text) => {
      const condition = { key: this.key, target: 'modRevision', to: seen ?? 0n } as const;
      const { succeeded } = await client.kv.transaction(
        {
          if: seen === undefined ? [] : [condition],
          then: [{ put: this.key, value: text, lease: granted.id }],
        },
        options,
      );
      if (!succeeded)
        throw new EtcdError('RK_TRANSACTION_CONFLICT', `another process has just written ${this.key}`);
    });
    // The key has this one now; others end by themselves.
    for (const id of this.#leaseIds) if (id !== granted.id) this.#leaseIds.delete(id);
    // It may have been stopped meanwhile: then it is removed, or ends with its lease.
    this.#assertRunning();
    this.#keeper = new LeaseKeeper(granted, { leases: client.lease, clock, random });
  }

  async #put(value: InstanceValue, write: (text: string) => Promise<unknown>): Promise<void> {
    // Before it is sent: the watch of the key may see it before the response is here.
    this.#value = value;
    this.#confirmed = undefined;
    const { text } = this;
    await write(text);
    this.#confirmed = text;
  }

  #assertRunning(): void {
    if (this.#isStopped) throw new EtcdError('RK_SHUT_DOWN', `the registration ${this.key} was stopped`);
  }
}

/** Its lease, or the lease that it is put with. */
function isGone(error: unknown): boolean {
  return error instanceof EtcdError && error.code === 'RK_NOT_FOUND';
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
