import { EmbeddedConsul } from '@rookery/embedded-consul';
import { bareRequest, type BareAnswer, type BareRequest } from './bare-request.js';
import { ConsulAgent } from './consul-agent.js';
import { SecuredConsul } from './secured-consul.js';
import type { TestConsul, TestConsulOptions } from './test-consul.js';

/** Selects the Consul of the suites: `embedded`, `secured`, else the real one. */
export const TEST_CONSUL_VARIABLE = 'ROOKERY_TEST_CONSUL';

/** A Consul of the kind that this run of the suites is for. */
export async function startTestConsul(options: TestConsulOptions = {}): Promise<TestConsul> {
  const kind = process.env[TEST_CONSUL_VARIABLE];
  if (kind === 'embedded') return EmbeddedTestConsul.start(options);
  // A suite that makes tokens itself has an agent of its own.
  return kind === 'secured' && !options.token ? SecuredConsul.start() : ConsulAgent.start(options);
}

class EmbeddedTestConsul implements TestConsul {
  static async start(options: TestConsulOptions): Promise<EmbeddedTestConsul> {
    return new EmbeddedTestConsul(options, await begin(options, 0));
  }

  private constructor(
    private readonly options: TestConsulOptions,
    private consul: EmbeddedConsul,
  ) {}

  get url(): string {
    return this.consul.url;
  }

  request(...request: BareRequest): Promise<BareAnswer> {
    return bareRequest({ url: this.url, token: this.options.token }, ...request);
  }

  async kill(): Promise<void> {
    await this.consul.stop();
  }

  /** Empty: the embedded one keeps nothing over a restart. */
  async restart(): Promise<void> {
    await this.consul.stop();
    this.consul = await begin(this.options, Number(new URL(this.url).port));
  }

  pause(): void {
    this.consul.faults.hang();
  }

  resume(): void {
    this.consul.faults.heal();
  }

  async stop(): Promise<void> {
    await this.consul.stop();
  }
}

function begin({ token }: TestConsulOptions, port: number): Promise<EmbeddedConsul> {
  return EmbeddedConsul.start({ port, ...(token ? { acl: { managementToken: token } } : {}) });
}
