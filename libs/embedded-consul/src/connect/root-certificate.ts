import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { bits, inContext, integer, objectId, octets, printable, sequence, set, time, TRUE } from './der.js';

export interface RootCertificate {
  /** Of the cluster; the trust domain is below `.consul`. */
  readonly clusterId: string;
  /** SHA-1 of the certificate, as Consul names a root. */
  readonly id: string;
  readonly signingKeyId: string;
  readonly serialNumber: number;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly pem: string;
}

const SERIAL_NUMBER = 7;
const VALID_YEARS = 10;
const ECDSA_WITH_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));
/** Digital signature, signing of certificates and of revocation lists. */
const KEY_USAGE = bits(Buffer.of(0b1000_0110), 1);

/** The root of a new cluster, as the built-in authority of Consul makes it (RFC 5280; SPIFFE X509-SVID). */
export function makeRootCertificate(now: Date): RootCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const clusterId = randomUUID();
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha256').update(spki).digest();
  const notBefore = new Date(Math.floor(now.getTime() / 1_000) * 1_000);
  const notAfter = new Date(notBefore);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + VALID_YEARS);
  const name = nameOf(`pri-${keyId.toString('hex', 0, 4)}.consul.ca.${clusterId.slice(0, 8)}.consul`);
  const body = sequence(
    // Version 3.
    inContext(0xa0, integer(2)),
    integer(SERIAL_NUMBER),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    spki,
    inContext(
      0xa3,
      sequence(
        extension('2.5.29.15', KEY_USAGE, 'critical'),
        extension('2.5.29.19', sequence(TRUE), 'critical'),
        extension('2.5.29.14', octets(keyId)),
        extension('2.5.29.35', sequence(inContext(0x80, keyId))),
        extension('2.5.29.17', sequence(inContext(0x86, Buffer.from(`spiffe://${clusterId}.consul`)))),
      ),
    ),
  );
  const der = sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, privateKey)));
  return {
    clusterId,
    id: colons(createHash('sha1').update(der).digest()),
    signingKeyId: colons(keyId),
    serialNumber: SERIAL_NUMBER,
    notBefore,
    notAfter,
    pem: pemOf(der),
  };
}

function nameOf(commonName: string): Buffer {
  return sequence(set(sequence(objectId('2.5.4.3'), printable(commonName))));
}

function extension(id: string, value: Buffer, critical?: 'critical'): Buffer {
  return sequence(objectId(id), ...(critical ? [TRUE] : []), octets(value));
}

function colons(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
