import { ConsulRegistry, type ConsulClient } from '@rookery/consul';
import type { RegistrationSpec } from '#libs/discovery/dist/registration/describe-registration.js';
import { clientOf, registrationOf, type FleetMember, type MemberOptions } from './fleet-app.js';

/** For an app of another part of the fleet: it is registered as that one is, when that one is, and asks for nothing. */
export class StandIn implements FleetMember {
  readonly port: number;
  readonly #client: ConsulClient;
  readonly #registry: ConsulRegistry;
  readonly #registration: RegistrationSpec;
  readonly #closing = new AbortController();
  #registered: Promise<void> = Promise.resolve();

  constructor(options: MemberOptions) {
    const { clock, random, port } = options;
    this.port = port;
    this.#client = clientOf(options);
    this.#registry = new ConsulRegistry(this.#client, { clock, random });
    this.#registration = registrationOf(options);
  }

  start(): void {
    const registration = { ...this.#registration, status: 'passing', maintenance: undefined } as const;
    this.#registered = this.#registry.register(registration, this.#closing.signal);
  }

  async deregister(): Promise<void> {
    await this.#registered;
    await this.#registry.deregister(this.#registration, this.#closing.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client.close();
  }
}
