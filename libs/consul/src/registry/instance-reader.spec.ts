import { describe, expect, it } from '@jest/globals';
import { splitEntries } from './entry-pieces.js';
import { InstanceReader } from './instance-reader.js';

const NASTY = '},{"Node":{"ID":"';

function entry(n: number, status = 'passing', output = ''): object {
  const id = `node-${n}`;
  return {
    Node: { ID: id, Node: id, Address: `10.0.${n >> 8}.${n & 255}`, Datacenter: 'dc1', Meta: null },
    Service: {
      ID: `web-${n}`,
      Service: 'web',
      Tags: ['v1', NASTY],
      Address: '',
      Port: 8000,
      Meta: { tier: 'gold', trap: `[{"Node":{"ID":${NASTY}` },
      Weights: { Passing: 1, Warning: 1 },
    },
    Checks: [
      {
        Node: id,
        CheckID: `web-${n}:http`,
        Name: 'http',
        Status: status,
        Output: `${output}${'x'.repeat(400)}`,
      },
    ],
  };
}
const compact = (entries: object[]): Buffer => Buffer.from(JSON.stringify(entries));
const indented = (entries: object[]): Buffer => Buffer.from(JSON.stringify(entries, null, 4));

describe.each([
  ['compact', compact],
  ['indented', indented],
])('InstanceReader on a %s list', (_, write) => {
  const many = (count = 300): object[] => Array.from({ length: count }, (_, n) => entry(n));
  const ids = (instances: readonly { id: string }[]): string[] => instances.map(({ id }) => id);

  it('gives the same instances as parsing the whole list', async () => {
    const entries = many();
    const body = write(entries);
    const { starts, ends } = splitEntries(body) ?? {};
    const pieces = Array.from(
      starts ?? [],
      (start, at) => JSON.parse(body.toString('utf8', start, ends?.[at])) as object,
    );
    expect(pieces).toEqual(entries);
    expect(splitEntries(write([entry(1)]))?.starts).toHaveLength(1);
  });

  it('keeps the objects of unchanged elements, wherever others were added, removed or changed', async () => {
    const reader = new InstanceReader();
    const first = await reader.read(write(many()));
    expect(first).toHaveLength(300);
    const next = many();
    next[7] = entry(7, 'critical');
    next.splice(100, 2);
    next.splice(200, 0, entry(1_000), entry(1_001));
    next.push(entry(1_002));
    const second = await reader.read(write(next));
    expect(ids(second)).toEqual(next.map((element) => (element as { Service: { ID: string } }).Service.ID));
    expect(second[7]).toMatchObject({ id: 'web-7', status: 'critical' });
    const before = new Map(first.map((instance) => [instance.id, instance]));
    const reused = second.filter((instance) => before.get(instance.id) === instance);
    // All but the changed one, and the one at which the gap was found.
    expect(reused.length).toBeGreaterThanOrEqual(296);
    const third = await reader.read(write(many()));
    expect(ids(third)).toEqual(ids(first));
    expect(third[7]).toMatchObject({ status: 'passing' });
  });

  it('reads lists in any order, and lists that shrink and grow', async () => {
    const reader = new InstanceReader();
    let seed = 42;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      return seed % below;
    };
    for (let round = 0; round < 30; round++) {
      const entries = many(150 + random(200))
        .filter(() => random(10) > 0)
        .map((element, n) => (random(20) === 0 ? entry(n, 'warning', String(random(9))) : element));
      if (round % 7 === 0) entries.reverse();
      const read = await reader.read(write(entries));
      const whole = await new InstanceReader().read(write(entries));
      expect(read).toEqual(whole);
    }
  });

  it('does not parse a response again that equals the one before', async () => {
    const reader = new InstanceReader();
    for (const count of [3, 300]) {
      const first = await reader.read(write(many(count)));
      expect(await reader.read(write(many(count)))).toBe(first);
    }
  });

  it('shares equal tags and meta among the instances of a list', async () => {
    const [a, b] = await new InstanceReader().read(write(many(2)));
    expect(a?.tags).toBe(b?.tags);
    expect(a?.meta).toBe(b?.meta);
    expect(a?.datacenter).toBe(b?.datacenter);
    expect(Object.isFrozen(a?.tags)).toBe(true);
  });
});

describe('InstanceReader', () => {
  it.each([
    ['no JSON', 'oops'],
    ['cut short', JSON.stringify(Array.from({ length: 400 }, (_, n) => entry(n))).slice(0, 100_000)],
    ['an object', '{}'],
    ['an element that is null', '[null]'],
    [
      'an element that lacks its port',
      JSON.stringify([{ Node: { Address: 'a' }, Service: { ID: 'x' }, Checks: [] }]),
    ],
  ])('refuses %s, and reads the next response', async (_, body) => {
    const reader = new InstanceReader();
    await expect(reader.read(Buffer.from(body))).rejects.toMatchObject({ code: 'RK_REGISTRY_BAD_RESPONSE' });
    expect(await reader.read(compact([entry(1)]))).toHaveLength(1);
  });

  it('F51 leaves out what is invalid, be it one, some or all, and reports it', async () => {
    const wrong = entry(1) as { Service: { Port: number } };
    wrong.Service.Port = 0;
    const reader = new InstanceReader();
    expect(await reader.read(compact([entry(0), wrong]))).toHaveLength(1);
    expect(reader.invalid).toEqual([
      {
        id: (wrong.Service as unknown as { ID: string }).ID,
        reason: 'its port is 0, not an integer from 1 to 65535',
      },
    ]);
    // A stale entry may be all that is left while the only instance restarts.
    expect(await reader.read(compact([wrong]))).toEqual([]);
    expect(reader.invalid).toHaveLength(1);
    const large = Array.from({ length: 400 }, (_, n) => entry(n));
    large.splice(200, 1, wrong);
    expect(await reader.read(compact(large))).toHaveLength(399);
    expect(await reader.read(compact(large.slice(1)))).toHaveLength(398);
    expect(reader.invalid).toHaveLength(1);
  });

  it('reads a large list in which the separator bytes also occur inside an element', async () => {
    const entries = Array.from({ length: 300 }, (_, n) => entry(n));
    const proxied = entry(300) as { Service: object };
    Object.assign(proxied.Service, { Proxy: { Config: { list: [{ a: 1 }, { Node: { ID: 'x' } }] } } });
    entries.splice(150, 0, proxied);
    const reader = new InstanceReader();
    expect(await reader.read(compact(entries))).toHaveLength(301);
    entries.pop();
    expect(await reader.read(compact(entries))).toHaveLength(300);
  });

  it('reads a list in a different formatting', async () => {
    const entries = Array.from({ length: 300 }, (_, n) => entry(n));
    const odd = Buffer.from(JSON.stringify(entries, null, 1));
    expect(splitEntries(odd)).toBeUndefined();
    expect(await new InstanceReader().read(odd)).toHaveLength(300);
  });
});
