import { isDeepStrictEqual } from 'node:util';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { ConsulAgent } from '@rookery/test-support';
import type { ConformanceCase } from './conformance-case.js';
import { ConsulApi, NODE, NODE_ID } from './consul-api.js';

export interface Verdict {
  readonly case: ConformanceCase;
  readonly agrees: boolean;
  readonly real: unknown;
  readonly embedded: unknown;
}

const LOOKS_AGAIN = 2;

/** A real agent and an embedded one with the same node name. */
export class Pair {
  private constructor(
    readonly real: ConsulAgent,
    readonly embedded: EmbeddedConsul,
    private readonly token: string | undefined,
  ) {}

  static async start(token?: string): Promise<Pair> {
    const real = await ConsulAgent.start({ node: NODE, nodeId: NODE_ID, ...(token ? { token } : {}) });
    const embedded = await EmbeddedConsul.start({
      node: NODE,
      nodeId: NODE_ID,
      ...(token ? { acl: { managementToken: token } } : {}),
    });
    return new Pair(real, embedded, token);
  }

  /** On a busy machine a change may come too late for a wait: a case that differs is run again. */
  async judge(subject: ConformanceCase): Promise<Verdict> {
    let verdict = await this.#judgeOnce(subject);
    for (let again = 0; again < LOOKS_AGAIN && !verdict.agrees; again++)
      verdict = await this.#judgeOnce(subject);
    return verdict;
  }

  async #judgeOnce(subject: ConformanceCase): Promise<Verdict> {
    const [real, embedded] = await Promise.all(
      [this.real.url, this.embedded.url].map((url) => observe(subject, new ConsulApi(url, this.token))),
    );
    return { case: subject, agrees: isDeepStrictEqual(real, embedded), real, embedded };
  }

  async stop(): Promise<void> {
    await Promise.all([this.real.stop(), this.embedded.stop()]);
  }
}

async function observe(subject: ConformanceCase, api: ConsulApi): Promise<unknown> {
  try {
    await api.clean();
    return await subject.observe(api);
  } catch (error) {
    // A case that fails to run on one of them is a disagreement, unless it fails in the same way on the other.
    return { threw: error instanceof Error ? error.message : String(error) };
  }
}
