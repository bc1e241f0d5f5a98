import { describe, expect, it } from '@jest/globals';
import { StaticSource, type StaticServices } from './static.source.js';

const signal = new AbortController().signal;

describe('StaticSource', () => {
  it('emits its list once, and then waits for its end', async () => {
    const registry = new StaticSource({
      inventory: [
        '10.0.0.7:3000',
        '[::1]:3001',
        { address: 'host', port: 1, tags: ['a'], datacenter: 'dc2' },
      ],
    });
    const ending = new AbortController();
    const lists = [];
    for await (const list of registry.watch('inventory', {}, ending.signal)) {
      lists.push(list);
      setImmediate(() => ending.abort());
    }
    expect(lists).toHaveLength(1);
    expect(lists[0]?.instances.map(({ id, address, port }) => [id, address, port])).toEqual([
      ['inventory-10.0.0.7:3000', '10.0.0.7', 3000],
      ['inventory-[::1]:3001', '::1', 3001],
      ['inventory-host:1', 'host', 1],
    ]);
    expect(await registry.readConsistent('orders', {})).toEqual([]);
    expect(
      (await registry.readConsistent('inventory', { datacenter: 'dc2' })).map(({ port }) => port),
    ).toEqual([1]);
    expect(await registry.services()).toEqual({ inventory: ['a'] });
    await expect(registry.readConsistent('inventory', { filter: 'x' })).rejects.toThrow(/query\.filter/);
    expect(signal.aborted).toBe(false);
  });

  it.each([
    ['10.0.0.7:99999', /a\.0 = "10\.0\.0\.7:99999": must be 'host:port'/],
    ['host:0', /must be 'host:port'/],
    ['[:::::]:80', /must be 'host:port'/],
    [{ address: 'a b', port: 1 }, /a\.0\.address = "a b": must be a host's name or address, without spaces/],
  ])('refuses %p', (wrong, reason) => {
    expect(() => new StaticSource({ a: [wrong] })).toThrow(reason);
  });

  it('refuses two instances of one id', () => {
    expect(() => new StaticSource({ a: ['x:1', 'x:1'] })).toThrow(/a\.1 = "a-x:1": is used twice/);
  });

  it('names every wrong option, with its cure', () => {
    const wrong = { a: ['host'], b: [{ address: '', port: 0 }], c: 'x' } as unknown as StaticServices;
    expect(() => new StaticSource(wrong)).toThrow(
      /StaticSource: \d options are wrong[^]*a\.0 = "host": must be 'host:port'[^]*b\.0\.port = 0: must be an integer[^]*c = "x": must be an array/,
    );
  });
});
