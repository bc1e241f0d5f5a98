import { describe, expect, it } from '@jest/globals';
import type { ConnectIntention } from '../client/api/types.js';
import { assertIntentions, decideByIntentions } from './intention-decision.js';

const STOREFRONT = { service: 'storefront', namespace: 'default', partition: 'default' };

function intention(SourceName: string, Action: string, Precedence: number, more = {}): ConnectIntention {
  return { SourceName, Action, Precedence, DestinationName: 'inventory', SourceNS: 'default', ...more };
}

function decide(intentions: readonly ConnectIntention[], allowsByDefault = false): boolean {
  return decideByIntentions(STOREFRONT, { intentions, allowsByDefault }).isAllowed;
}

describe('intentions', () => {
  it('decide by the one with the highest precedence that names the caller', () => {
    const any = intention('*', 'deny', 8);
    const own = intention('storefront', 'allow', 9);
    expect(decide([any, own])).toBe(true);
    expect(decide([own, any])).toBe(true);
    expect(decide([any])).toBe(false);
    expect(decide([intention('orders', 'allow', 9), any])).toBe(false);
    expect(decide([intention('*', 'allow', 6), intention('storefront', 'deny', 9)])).toBe(false);
  });

  it('leave it to the default of Consul where none names the caller', () => {
    expect(decide([], true)).toBe(true);
    expect(decide([], false)).toBe(false);
    expect(decide([intention('orders', 'deny', 9)], true)).toBe(true);
    const { reason } = decideByIntentions(STOREFRONT, { intentions: [], allowsByDefault: false });
    expect(reason).toBe('no intention of Consul is about "storefront", and its default is to deny');
  });

  it('are about the namespace, the partition and the cluster of the caller', () => {
    const only = (more: object): boolean => decide([intention('storefront', 'allow', 9, more)]);
    expect(only({ SourceNS: '' })).toBe(true);
    expect(only({ SourceNS: '*' })).toBe(true);
    expect(only({ SourceNS: 'team-b' })).toBe(false);
    expect(only({ SourcePartition: 'p1' })).toBe(false);
    expect(only({ SourcePeer: 'cluster-2' })).toBe(false);
    expect(only({ SourcePeer: '', SourcePartition: '' })).toBe(true);
  });

  it('deny where permissions would decide by the request, and by what they do not say', () => {
    expect(decide([intention('storefront', '', 9, { Permissions: [{ Action: 'allow' }] })], true)).toBe(
      false,
    );
    expect(decide([intention('storefront', 'allow', 9, { Permissions: [{ Action: 'allow' }] })])).toBe(false);
    expect(decide([intention('storefront', 'allow', 9, { Permissions: null })])).toBe(true);
    expect(decide([intention('storefront', 'maybe', 9)], true)).toBe(false);
  });

  it.each([
    [{}, 'are no list'],
    [[null], 'intention 0 of Consul has no SourceName'],
    [[intention('a', 'allow', 9), { SourceName: 'b' }], 'intention 1 of Consul has no Precedence'],
    [[intention('a', 'allow', 9, { Permissions: {} })], 'Permissions is no list'],
    [[intention('a', 'allow', 9, { SourceNS: 1 })], 'SourceNS is no text'],
  ])('that are not as Consul writes them decide nothing: %j', (given, problem) => {
    expect(() => assertIntentions(given)).toThrow(problem);
  });
});
