import { describe, expect, it } from '@jest/globals';
import { denialOf, describeDenial } from './connect-access.js';
import type { ConnectPeer } from './connect-peer.js';

const id = {
  trustDomain: 'a.consul',
  partition: 'default',
  namespace: 'default',
  datacenter: 'dc1',
  service: 'storefront',
};
const rules = { intentions: [], allowsByDefault: true };
const peer: ConnectPeer = { id, validUntil: 2_000 };

describe('access of a peer', () => {
  it('is given to a valid certificate of the trust domain that no intention denies', () => {
    expect(denialOf(peer, { trustDomain: 'a.consul', rules, now: 1_999 })).toBeUndefined();
  });

  it.each([
    [
      'another trust domain',
      peer,
      { trustDomain: 'b.consul', rules, now: 0 },
      /another trust domain, a\.consul/,
    ],
    ['no trust domain of ours yet', peer, { trustDomain: undefined, rules, now: 0 }, /another trust domain/],
    ['an expired certificate', peer, { trustDomain: 'a.consul', rules, now: 2_000 }, /has expired/],
    [
      'a date that is none',
      { id, validUntil: NaN },
      { trustDomain: 'a.consul', rules, now: 0 },
      /has expired/,
    ],
    ['no rules yet', peer, { trustDomain: 'a.consul', rules: undefined, now: 0 }, /not known yet/],
    ['a problem', { problem: 'it hides' }, { trustDomain: 'a.consul', rules, now: 0 }, /it hides/],
    [
      'the default',
      peer,
      { trustDomain: 'a.consul', rules: { ...rules, allowsByDefault: false }, now: 0 },
      /default is to deny/,
    ],
  ] as const)('is denied for %s', (_, given, facts, reason) => {
    expect(denialOf(given, facts)?.reason).toMatch(reason);
  });
});

describe('what a caller that is denied is told', () => {
  it.each([
    ['storefront', '"storefront" may not call: it hides'],
    [undefined, 'This caller may not call: it hides'],
  ])('has its name, where that is known: %s', (caller, text) => {
    expect(describeDenial({ caller, reason: 'it hides' })).toBe(text);
  });
});
