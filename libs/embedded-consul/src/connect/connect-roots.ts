import type { Reading } from '../state/blocking-query.js';
import { makeRootCertificate, type RootCertificate } from './root-certificate.js';

export const CONNECT_ROOTS = 'connect-roots';

/** The certificates that services of the mesh are to trust: the one root of this cluster, made when it is asked for. */
export class ConnectRoots {
  /** The agent has been asked for them before. */
  isKept = false;
  #root: RootCertificate | undefined;
  readonly #now: () => number;
  readonly #index: number;

  /** @param index that of the beginning: they never change */
  constructor(now: () => number, index: number) {
    this.#now = now;
    this.#index = index;
  }

  get pem(): string {
    return this.#rootCertificate.pem;
  }

  read(): Reading<object> {
    const { clusterId, id, signingKeyId, serialNumber, notBefore, notAfter, pem } = this.#rootCertificate;
    const root = {
      ID: id,
      Name: 'Consul CA Root Cert',
      SerialNumber: serialNumber,
      SigningKeyID: signingKeyId,
      ExternalTrustDomain: clusterId,
      NotBefore: seconds(notBefore),
      NotAfter: seconds(notAfter),
      RootCert: pem,
      IntermediateCerts: null,
      Active: true,
      PrivateKeyType: 'ec',
      PrivateKeyBits: 256,
      CreateIndex: this.#index,
      ModifyIndex: this.#index,
    };
    return {
      index: this.#index,
      body: { ActiveRootID: id, TrustDomain: `${clusterId}.consul`, Roots: [root] },
    };
  }

  get #rootCertificate(): RootCertificate {
    return (this.#root ??= makeRootCertificate(new Date(this.#now())));
  }
}

function seconds(date: Date): string {
  return date.toISOString().replace('.000', '');
}
