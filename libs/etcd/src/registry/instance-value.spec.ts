import { describe, expect, it } from '@jest/globals';
import { decodeValue, encodeValue, toServiceInstance, type InstanceValue } from './instance-value.js';

const decode = (value: unknown) =>
  decodeValue(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const VALUE: InstanceValue = {
  address: '10.0.0.1',
  port: 3000,
  secure: true,
  tags: ['v1'],
  meta: { version: '1.0.0' },
  weights: { passing: 5, warning: 2 },
  zone: 'a',
  status: 'warning',
  output: 'slow',
  taggedAddresses: { wan: { address: '1.2.3.4', port: 3000 } },
  node: 'host',
};

describe('the value of an instance', () => {
  it.each(['rookery', 'grpc'] as const)('is whole after the layout %s', (layout) => {
    expect(decodeValue(Buffer.from(encodeValue(VALUE, layout)))).toEqual({ value: VALUE });
  });

  it('is our own JSON, or that of the resolver of etcd for Go with ours as its metadata', () => {
    expect(JSON.parse(encodeValue(VALUE, 'rookery'))).toEqual(VALUE);
    expect(JSON.parse(encodeValue(VALUE, 'grpc'))).toEqual({
      ...{ Op: 0, Addr: '10.0.0.1:3000', Metadata: VALUE },
    });
  });

  it('becomes an instance with the weight of its status', () => {
    const place = { service: 'app', id: '1' };
    expect(toServiceInstance(place, VALUE)).toEqual({
      ...{ ...place, address: '10.0.0.1', port: 3000, secure: true, status: 'warning', weight: 2 },
      ...{ tags: ['v1'], meta: { version: '1.0.0' }, zone: 'a', node: 'host', datacenter: 'etcd' },
    });
    expect(toServiceInstance(place, { ...VALUE, maintenance: 'disk' })).toMatchObject({
      ...{ status: 'maintenance', weight: 5 },
    });
    const { zone: _, ...rest } = VALUE;
    expect(toServiceInstance(place, { ...rest, meta: { zone: 'b' } }).zone).toBe('b');
  });

  it('needs no more than an address and a port', () => {
    expect(decode({ address: '10.0.0.1', port: 80 })).toMatchObject({
      value: { status: 'passing', tags: [] },
    });
  });

  it.each([
    ['', /is not JSON/],
    ['7', /is not an object/],
    [{ address: 'a b', port: 80 }, /its address: is not a host name/],
    [{ address: '10.0.0.1', port: 0 }, /its port/],
    [{ address: '10.0.0.1', port: 80, meta: { a: 1 } }, /its meta\.a: is not a string/],
    [{ address: '10.0.0.1', port: 80, status: 'good' }, /its status/],
    [{ Op: 0, Addr: 'nonsense' }, /its Addr is "nonsense", not host:port/],
    [{ name: 'a', endpoints: ['nonsense'] }, /none is a URL/],
    [{ endpoints: 'a' }, /its name/],
  ])('%j is refused, and says why', (value, reason) => {
    expect(decode(value)).toMatchObject({ reason: expect.stringMatching(reason) });
  });

  it.each([
    [
      { name: 'a', endpoints: ['grpc://10.0.0.2:9000', 'http://10.0.0.2:8000'] },
      { port: 8000, secure: false },
    ],
    [
      { name: 'a', endpoints: ['http://10.0.0.2:8000?isSecure=true'] },
      { port: 8000, secure: true },
    ],
    [
      { name: 'a', endpoints: ['https://books'] },
      { address: 'books', port: 443, secure: true },
    ],
    [
      { name: 'a', endpoints: ['grpcs://10.0.0.2:9000', 'nonsense'] },
      { port: 9000, secure: true },
    ],
    [
      { name: 'a', version: '2', metadata: { zone: 'c' }, endpoints: ['http://10.0.0.2'] },
      { port: 80, meta: { version: '2', zone: 'c' } },
    ],
    [
      { name: 'a', version: '', endpoints: ['http://10.0.0.2'] },
      { port: 80, meta: {} },
    ],
    [
      { Op: 0, Addr: '10.0.0.1:50051', Metadata: { weight: 1 } },
      { address: '10.0.0.1', port: 50051, meta: {} },
    ],
    [
      { name: 'a', version: '2', metadata: null, endpoints: ['http://[::1]:80'] },
      { address: '::1', port: 80 },
    ],
    [
      { Op: 0, Addr: '[fe80::1]:50051', Metadata: { zone: 'b' } },
      { address: 'fe80::1', port: 50051, meta: { zone: 'b' } },
    ],
  ])('%j is read', (value, expected) => {
    expect(decode(value)).toMatchObject({ value: expected });
  });
});
