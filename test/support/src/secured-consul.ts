import { randomUUID } from 'node:crypto';
import type { BareAnswer, BareRequest } from './bare-request.js';
import { ConsulAgent } from './consul-agent.js';
import type { TestConsul } from './test-consul.js';
import { TestCertificates } from './test-certificates.js';

/** What the apps of the suites need together; nothing of it is a right over ACLs or operators. */
const RULES = `
  service_prefix "" { policy = "write" }
  node_prefix "" { policy = "read" }
  key_prefix "" { policy = "write" }
  session_prefix "" { policy = "write" }
  agent_prefix "" { policy = "read" }
`;
const MANAGEMENT = randomUUID();
/** Of the apps. */
const TOKEN = randomUUID();

let certificates: Promise<TestCertificates> | undefined;

/** The same for all agents of a suite, since all apps read the same environment. */
async function createCertificates(): Promise<TestCertificates> {
  const created = await TestCertificates.create('localhost');
  process.once('exit', () => created.remove());
  Object.assign(process.env, {
    CONSUL_HTTP_TOKEN: TOKEN,
    CONSUL_CACERT: created.file('ca'),
    CONSUL_CLIENT_CERT: created.file('client'),
    CONSUL_CLIENT_KEY: created.file('client-key'),
  });
  return created;
}

/**
 * A real agent that denies by default and speaks TLS only, with clients that have a certificate. The apps of a suite get their token and certificates from
 * the environment, as with the `consul` CLI; `request` has the management token.
 */
export class SecuredConsul implements TestConsul {
  readonly appToken = TOKEN;
  readonly #agent: ConsulAgent;

  static async start(): Promise<SecuredConsul> {
    const tokens = { master: MANAGEMENT, agent: MANAGEMENT };
    const agent = await ConsulAgent.start({
      token: MANAGEMENT,
      certificates: await (certificates ??= createCertificates()),
      // An app that tries its token while the agent has just restarted is not denied for the default of 30 s.
      config: { acl: { enabled: true, default_policy: 'deny', tokens, token_ttl: '1s' } },
    });
    const consul = new SecuredConsul(agent);
    await consul.#grant();
    return consul;
  }

  private constructor(agent: ConsulAgent) {
    this.#agent = agent;
  }

  get url(): string {
    return this.#agent.url;
  }

  request(...request: BareRequest): Promise<BareAnswer> {
    return this.#agent.request(...request);
  }

  kill(): Promise<void> {
    return this.#agent.kill();
  }

  async restart(options?: { keepData?: boolean }): Promise<void> {
    await this.#agent.restart(options);
    await this.#grant();
  }

  pause(): void {
    this.#agent.pause();
  }

  resume(): void {
    this.#agent.resume();
  }

  stop(): Promise<void> {
    return this.#agent.stop();
  }

  /** An agent in memory forgets it when it restarts. */
  async #grant(): Promise<void> {
    await this.#agent.request('PUT', '/v1/acl/policy', { Name: 'apps', Rules: RULES });
    const Policies = [{ Name: 'apps' }];
    await this.#agent.request('PUT', '/v1/acl/token', { SecretID: TOKEN, Policies });
  }
}
