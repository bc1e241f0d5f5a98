import { beforeAll, describe, expect, it } from '@jest/globals';
import { ConnectAuthority, type Leaf } from '@rookery/test-support';
import type { ConnectLeaf, ConnectRoots } from '../client/api/types.js';
import { ConnectIdentity } from './connect-identity.js';

const DOMAIN = 'ABCD.consul';
const ENDS = Date.parse('2026-01-04T00:00:00Z');

describe('the identity of a Connect-native app', () => {
  let authority: ConnectAuthority;
  let leaf: Leaf;
  let other: Leaf;
  beforeAll(async () => {
    authority = await ConnectAuthority.create();
    leaf = await authority.leaf(DOMAIN, 'web');
    other = await authority.leaf(DOMAIN, 'web');
  });

  const rootsOf = (...certificates: readonly string[]): ConnectRoots => ({
    ActiveRootID: '1',
    TrustDomain: DOMAIN,
    Roots: certificates.map((RootCert, n) => ({ ID: String(n), Active: n === 0, RootCert })),
  });
  const leafOf = ({ cert, key }: Leaf, more: Partial<ConnectLeaf> = {}): ConnectLeaf => ({
    SerialNumber: '01',
    CertPEM: cert,
    PrivateKeyPEM: key,
    ServiceURI: `spiffe://${DOMAIN}/ns/default/dc/dc1/svc/web`,
    ValidAfter: '2026-01-01T00:00:00Z',
    ValidBefore: new Date(ENDS).toISOString(),
    ...more,
  });

  it('trusts nothing, not even what Node trusts, until it has authorities and a certificate', () => {
    const identity = new ConnectIdentity();
    expect(identity.current()).toEqual({ ca: [] });
    identity.setRoots(rootsOf(authority.cert));
    expect(identity.current()).toEqual({ ca: [] });
    expect(identity.isComplete).toBe(false);
    identity.setLeaf(leafOf(leaf));
    expect(identity.current()).toMatchObject({ ca: [authority.cert], cert: leaf.cert });
    expect(String(identity.current().key)).not.toContain('PRIVATE');
    expect(identity.trustDomain).toBe('abcd.consul');
  });

  it('says when it has changed, and is the same object until then', () => {
    const identity = new ConnectIdentity();
    let changes = 0;
    const end = identity.onChange(() => changes++);
    identity.setRoots(rootsOf(authority.cert));
    identity.setLeaf(leafOf(leaf));
    const first = identity.current();
    identity.setRoots(rootsOf(authority.cert));
    identity.setLeaf(leafOf(leaf));
    expect(identity.current()).toBe(first);
    expect(changes).toBe(1);
    identity.setLeaf(leafOf(other));
    expect(changes).toBe(2);
    end();
    identity.setLeaf(leafOf(leaf));
    expect(changes).toBe(2);
  });

  it('is valid until its certificate ends', () => {
    let today = ENDS - 1;
    const identity = new ConnectIdentity(() => today);
    identity.setRoots(rootsOf(authority.cert));
    expect(identity.isValid).toBe(false);
    identity.setLeaf(leafOf(leaf));
    expect(identity.isValid).toBe(true);
    today = ENDS;
    expect(identity.isValid).toBe(false);
  });

  it('keeps what it has when Consul answers something that cannot be used', () => {
    const identity = new ConnectIdentity();
    identity.setRoots(rootsOf(authority.cert));
    identity.setLeaf(leafOf(leaf));
    const good = identity.current();
    expect(() => identity.setLeaf(leafOf({ cert: leaf.cert, key: other.key }))).toThrow(/mismatch/);
    expect(() => identity.setLeaf(leafOf(leaf, { ServiceURI: 'spiffe://x' }))).toThrow(/names no service/);
    expect(() => identity.setLeaf(leafOf(leaf, { ValidBefore: 'soon' }))).toThrow(/when it ends/);
    expect(() => identity.setRoots({ ...rootsOf(), TrustDomain: '' })).toThrow(/no trust domain/);
    expect(() => identity.setRoots({ ...rootsOf(), Roots: null })).toThrow(/no list/);
    expect(() => identity.setRoots(rootsOf('nonsense'))).toThrow();
    expect(identity.current()).toBe(good);
  });
});
