import { describe, expect, it } from '@jest/globals';
import { parseSpiffeId, spiffeIdOf } from './spiffe-id.js';

const URI = 'spiffe://11111111.consul/ns/default/dc/dc1/svc/inventory';

describe('the identity in a certificate', () => {
  it('is that of a service, with the namespace and partition of Consul Enterprise', () => {
    expect(parseSpiffeId(URI)).toEqual({
      trustDomain: '11111111.consul',
      partition: 'default',
      namespace: 'default',
      datacenter: 'dc1',
      service: 'inventory',
    });
    expect(parseSpiffeId('spiffe://A.consul/ap/p1/ns/n%201/dc/dc2/svc/a%2Fb')).toEqual({
      trustDomain: 'a.consul',
      partition: 'p1',
      namespace: 'n 1',
      datacenter: 'dc2',
      service: 'a/b',
    });
  });

  it.each([
    'spiffe://a.consul/agent/client/dc/dc1/id/node',
    'spiffe://a.consul',
    'https://a.consul/ns/default/dc/dc1/svc/inventory',
    'spiffe://a.consul/ns/default/dc/dc1/svc/inventory/more',
    'spiffe://a.consul/ns/default/dc/dc1/svc/',
    'spiffe://a.consul/ns/default/dc/dc1/svc/inventory?x=1',
    'spiffe://user@a.consul/ns/default/dc/dc1/svc/inventory',
    'spiffe://a.consul:443/ns/default/dc/dc1/svc/inventory',
    'x spiffe://a.consul/ns/default/dc/dc1/svc/inventory',
    'spiffe://a.consul/ns/default/dc/dc1/svc/%zz',
  ])('is not in %s', (uri) => {
    expect(parseSpiffeId(uri)).toBeUndefined();
  });

  it('is the only URI of the certificate', () => {
    expect(spiffeIdOf(`DNS:inventory.svc, URI:${URI}`)?.service).toBe('inventory');
    expect(spiffeIdOf(`URI:${URI}, URI:${URI.replace('inventory', 'orders')}`)).toBeUndefined();
    expect(spiffeIdOf('DNS:inventory')).toBeUndefined();
    expect(spiffeIdOf(undefined)).toBeUndefined();
    // One name that looks like two, as Node writes it.
    expect(spiffeIdOf(`DNS:"a, URI:${URI}, DNS:b"`)).toBeUndefined();
  });
});
