import type { PeerCertificate, TLSSocket } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { peerOf, peerWith } from './connect-peer.js';

const URI = 'URI:spiffe://a.consul/ns/default/dc/dc1/svc/storefront';
const ENDS = 'Jan  4 00:00:00 2027 GMT';
const STOREFRONT = {
  id: {
    trustDomain: 'a.consul',
    partition: 'default',
    namespace: 'default',
    datacenter: 'dc1',
    service: 'storefront',
  },
  validUntil: Date.parse(ENDS),
};

describe('the other end of a connection', () => {
  const socketWith = (changes: object, subjectAltName: string | undefined = URI): TLSSocket =>
    ({
      ...{ authorized: true, authorizationError: null },
      getPeerX509Certificate: () => ({ subjectAltName, validTo: ENDS }),
      ...changes,
    }) as unknown as TLSSocket;

  it('is the service that its certificate names, until that ends', () => {
    expect(peerOf(socketWith({}))).toEqual(STOREFRONT);
    expect(peerWith({ subjectaltname: URI, valid_to: ENDS } as PeerCertificate)).toEqual(STOREFRONT);
  });

  it('is none without a certificate', () => {
    expect(peerOf(socketWith({ getPeerX509Certificate: () => undefined }))).toEqual({
      problem: 'it has shown no certificate',
    });
    expect(peerOf(socketWith({ getPeerX509Certificate: undefined }))).toEqual({
      problem: 'it has shown no certificate',
    });
    expect(peerWith(undefined)).toEqual({ problem: 'it has shown no certificate that is accepted' });
  });

  it.each([
    [{ authorized: false, authorizationError: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'SELF_SIGNED_CERT_IN_CHAIN'],
    [{ authorized: false }, 'null'],
    [{ authorizationError: 'CERT_HAS_EXPIRED' }, 'CERT_HAS_EXPIRED'],
  ])(
    'is none with a certificate that was not accepted, whichever of the two says so: %j',
    (changes, reason) => {
      expect(peerOf(socketWith(changes))).toEqual({ problem: `its certificate is not accepted (${reason})` });
    },
  );

  it('is none with a certificate that names no service', () => {
    const problem = 'its certificate names no service';
    expect(peerOf(socketWith({}, 'DNS:shop.example'))).toEqual({ problem });
    expect(peerWith({ valid_to: ENDS } as PeerCertificate)).toEqual({ problem });
  });
});
