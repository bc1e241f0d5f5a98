import { randomUUID } from 'node:crypto';
import { ConsulAgent } from './consul-agent.js';

export interface Leaf {
  readonly cert: string;
  readonly key: string;
}

/** An authority whose key the test has as well as Consul, so that it can sign what Consul would not. */
export class ConnectAuthority {
  readonly cert: string;
  readonly key: string;

  private constructor(cert: string, key: string) {
    this.cert = cert;
    this.key = key;
  }

  static async create(): Promise<ConnectAuthority> {
    const { generate } = await import('selfsigned');
    const made = await generate([{ name: 'commonName', value: `Test Connect CA ${randomUUID()}` }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
        { name: 'subjectAltName', altNames: [{ type: 6, value: `spiffe://${randomUUID()}.consul` }] },
      ],
    });
    return new ConnectAuthority(made.cert, made.private);
  }

  /** For the configuration of an agent. */
  get config(): Record<string, unknown> {
    return {
      connect: {
        enabled: true,
        ca_provider: 'consul',
        ca_config: { private_key: this.key, root_cert: this.cert },
      },
    };
  }

  /** For `PUT /v1/connect/ca/configuration`: Consul signs by this authority from then on. */
  get provider(): object {
    return { Provider: 'consul', Config: { PrivateKey: this.key, RootCert: this.cert } };
  }

  /** A certificate of a service; `validForMs` may have passed. */
  async leaf(
    trustDomain: string,
    service: string,
    { validForMs = 3_600_000, uris = [`spiffe://${trustDomain}/ns/default/dc/dc1/svc/${service}`] } = {},
  ): Promise<Leaf> {
    const { generate } = await import('selfsigned');
    const made = await generate([{ name: 'commonName', value: service }], {
      keyType: 'ec',
      algorithm: 'sha256',
      ca: { key: this.key, cert: this.cert },
      notBeforeDate: new Date(Date.now() - 7_200_000),
      notAfterDate: new Date(Date.now() + validForMs),
      extensions: [
        { name: 'extKeyUsage', clientAuth: true, serverAuth: true },
        { name: 'subjectAltName', altNames: uris.map((value) => ({ type: 6, value }) as const) },
      ],
    });
    return { cert: made.cert, key: made.private };
  }
}

export interface ConnectConsul {
  readonly authority: ConnectAuthority;
  readonly consul: ConsulAgent;
  readonly trustDomain: string;
}

/** A real agent that signs by an authority whose key the test has, too. */
export async function startConnectConsul(): Promise<ConnectConsul> {
  const authority = await ConnectAuthority.create();
  const consul = await ConsulAgent.start({ config: authority.config });
  const { body } = await consul.request('GET', '/v1/agent/connect/ca/roots');
  return { authority, consul, trustDomain: (body as { TrustDomain: string }).TrustDomain };
}
