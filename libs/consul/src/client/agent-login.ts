import { setTimeout as sleep } from 'node:timers/promises';
import { DiscoveryError } from '@rookery/discovery';
import { isReachable } from '@rookery/discovery/adapter';
import type { ResolvedAgent } from './agent-options.js';
import { AclApi } from './api/acl.api.js';
import type { AclLogin, LoginResult } from './api/types.js';
import { ConsulRequester } from './consul-requester.js';
import type { Transport } from './consul-transport.js';
import type { LoginCalls } from './token-source.js';

const LOGOUT_TIMEOUT_MS = 2_000;
/** An agent that uses a token before its server has it goes on denying it for 30 s. */
const KNOWN_AFTER_MS = 50;
const MAX_QUESTIONS = 40;

/** Logs in over a connection of its own, since all other requests may wait for the token; at the next agent where one is unreachable. */
export class AgentLogin implements LoginCalls {
  readonly #agent: ResolvedAgent;
  readonly #transports: readonly (() => Transport)[];

  /** @param transports open one to each agent, best first */
  constructor(agent: ResolvedAgent, transports: readonly (() => Transport)[]) {
    this.#agent = agent;
    this.#transports = transports;
  }

  login(login: AclLogin): Promise<LoginResult> {
    return this.#onFirst(async (acl) => {
      const result = await acl.login(login);
      // A question that fails tells nothing, and the token is there: another login would leave it behind.
      const isKnown = (): Promise<boolean> => acl.isKnown(result.secret).catch(() => true);
      for (let n = 0; n < MAX_QUESTIONS && !(await isKnown()); n++) await sleep(KNOWN_AFTER_MS);
      return result;
    });
  }

  logout(secret: string): Promise<void> {
    return this.#onFirst((acl) => acl.logout(secret, { timeout: LOGOUT_TIMEOUT_MS }));
  }

  async #onFirst<T>(work: (acl: AclApi) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const open of this.#transports) {
      const transport = open();
      try {
        return await work(new AclApi(new ConsulRequester(transport, this.#agent)));
      } catch (error) {
        if (!(error instanceof DiscoveryError) || isReachable(error)) throw error;
        failure = error;
      } finally {
        await transport.close();
      }
    }
    throw failure;
  }
}
