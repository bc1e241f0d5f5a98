import type { ServiceInstance } from '@rookery/discovery';
import { toTlsOptions, type TlsSettings } from '@rookery/discovery/adapter';
import { Agent, type Dispatcher } from 'undici';

interface KnownAgent {
  readonly certificates: object | undefined;
  readonly agent: Agent;
}

/** Connections to apps that speak TLS, secured as those of calls to them are: with the app's own certificate. */
export class PeerConnections {
  readonly #tlsTo: (instance: ServiceInstance) => TlsSettings | undefined;
  readonly #agents = new Map<TlsSettings, KnownAgent>();

  /** @param tlsTo undefined: the instance speaks no TLS */
  constructor(tlsTo: (instance: ServiceInstance) => TlsSettings | undefined) {
    this.#tlsTo = tlsTo;
  }

  /** @returns undefined: any will do */
  to(instance: ServiceInstance): Dispatcher | undefined {
    const tls = this.#tlsTo(instance);
    if (!tls) return undefined;
    const certificates = tls.certificates?.current();
    const known = this.#agents.get(tls);
    if (known?.certificates === certificates && known) return known.agent;
    // There are newer ones: what is asked now ends with its answer.
    void known?.agent.close();
    const agent = new Agent({ connect: toTlsOptions(tls, certificates) });
    this.#agents.set(tls, { certificates, agent });
    return agent;
  }

  close(): void {
    for (const { agent } of this.#agents.values()) void agent.destroy();
    this.#agents.clear();
  }
}
