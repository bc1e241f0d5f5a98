import { EmbeddedConsul } from '@rookery/embedded-consul';
import { bareRequest, type BareAnswer } from './bare-request.js';
import { ConsulAgent } from './consul-agent.js';

/** The Consul of a suite, be it the real binary or the embedded one. */
export interface TestConsul {
  readonly url: string;
  /** A bare request, to look at Consul without the client under test. */
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<BareAnswer>;
  kill(): Promise<void>;
  restart(options?: { keepData?: boolean }): Promise<void>;
  /** It accepts connections and never answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export interface TestConsulOptions {
  /** Turns ACLs on, default deny, with this UUID as the management token. */
  token?: string;
}

/** Selects the Consul of the suites: `embedded`, else the real one. */
export const TEST_CONSUL_VARIABLE = 'ROOKERY_TEST_CONSUL';

/** A Consul of the kind that this run of the suites is for. */
export async function startTestConsul(options: TestConsulOptions = {}): Promise<TestConsul> {
  if (process.env[TEST_CONSUL_VARIABLE] !== 'embedded') return ConsulAgent.start(options);
  return EmbeddedTestConsul.start(options);
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

  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<BareAnswer> {
    return bareRequest(this.url, this.options.token, method, path, body, headers);
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
