import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, HeldRequests } from '@rookery/test-support';
import type { ConsulClient } from '../client/consul-client.js';
import { watchKey } from './watch-key.js';
import { watchTree } from './watch-tree.js';

describe('watching the key-value store', () => {
  let clock: FakeClock;
  let stopping: AbortController;
  let client: { disconnects: number };
  let seen: unknown[];
  let failure: unknown;

  beforeEach(() => {
    clock = new FakeClock();
    stopping = new AbortController();
    client = { disconnects: 0 };
    seen = [];
    failure = undefined;
  });
  const follow = async (updates: AsyncIterable<unknown>): Promise<void> => {
    try {
      for await (const update of updates) seen.push(update);
    } catch (error) {
      failure = error;
    }
  };
  const waitWithin = (ms: number): number => Math.min(ms, 50_000);

  describe('a tree', () => {
    let lists: HeldRequests<[body: readonly unknown[], index?: string]>;
    beforeEach(async () => {
      lists = new HeldRequests(clock, (body, index = '7') => ({ body, index }));
      const fake = Object.assign(client, { waitWithin, kv: { list: lists.ask } }) as unknown as ConsulClient;
      void follow(watchTree(fake, 'a/', stopping.signal, { clock, datacenter: 'dc2' }));
      await clock.advance(0);
    });

    it('is read, and then each change of it', async () => {
      expect(lists.last).toMatchObject({ name: 'a/', options: { datacenter: 'dc2' } });
      expect(lists.last.options).not.toHaveProperty('index');
      await lists.last.answer(['x']);
      expect(seen).toEqual([{ entries: ['x'], isContinuous: false }]);
      expect(lists.last.options).toMatchObject({ index: '7', wait: 50_000, datacenter: 'dc2' });
      await clock.advance(1_000);
      await lists.last.answer(['x', 'y'], '8');
      expect(seen[1]).toEqual({ entries: ['x', 'y'], isContinuous: true });
      expect(lists.last.options).toMatchObject({ index: '8' });
    });

    it('is begun anew after a disconnect, and after an index that went backwards', async () => {
      await lists.last.answer(['x']);
      client.disconnects++;
      await lists.last.answer(['y'], '9');
      expect(lists.last.options).not.toHaveProperty('index');
      expect(seen[1]).toEqual({ entries: ['y'], isContinuous: false });
      await lists.last.answer(['z'], '9');
      expect(seen[2]).toEqual({ entries: ['z'], isContinuous: false });
      await lists.last.answer(['z'], '3');
      expect(seen[3]).toEqual({ entries: ['z'], isContinuous: false });
      expect(lists.last.options).not.toHaveProperty('index');
    });

    it('that stays empty is asked for less and less often, where others change all the time', async () => {
      let index = 7;
      await lists.last.answer([], String(index));
      const pauses: number[] = [];
      for (let n = 0; n < 9; n++) {
        const before = lists.all.length;
        const begun = clock.now();
        await lists.last.answer([], String(++index));
        while (lists.all.length === before) await clock.advance(100);
        pauses.push(clock.now() - begun);
      }
      expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
      await clock.advance(50_000);
      const before = lists.all.length;
      await lists.last.answer([], String(++index));
      expect(lists.all).toHaveLength(before + 1);
      await lists.last.answer(['x'], String(++index));
      await lists.last.answer([], String(++index));
      const asked = lists.all.length;
      await lists.last.answer([], String(index + 1));
      await clock.advance(100);
      expect(lists.all).toHaveLength(asked + 1);
    });

    it('ends with its signal', async () => {
      await lists.last.answer([]);
      await lists.last.answer([], '8');
      stopping.abort(new Error('enough'));
      await clock.advance(1_000);
      expect([String(failure), clock.pending]).toEqual(['Error: enough', 0]);
    });
  });

  describe('a key', () => {
    let values: HeldRequests<[body: unknown, index?: string]>;
    let names: HeldRequests<[body: readonly string[], index?: string]>;
    beforeEach(async () => {
      values = new HeldRequests(clock, (body, index = '7') => ({ body, index }));
      names = new HeldRequests(clock, (body, index = '7') => ({ body, index }));
      const kv = { get: values.ask, keys: names.ask };
      const fake = Object.assign(client, { waitWithin, kv }) as unknown as ConsulClient;
      void follow(watchKey(fake, 'a', stopping.signal, { clock, datacenter: 'dc2' }));
      await clock.advance(0);
    });

    it('is read, and then each change of it', async () => {
      expect(values.last).toMatchObject({ name: 'a', options: { datacenter: 'dc2' } });
      await values.last.answer('x');
      expect(values.last.options).toMatchObject({ index: '7', wait: 50_000, datacenter: 'dc2' });
      await clock.advance(1_000);
      await values.last.answer('y', '8');
      expect(seen).toEqual(['x', 'y']);
      expect(values.last.options).toMatchObject({ index: '8' });
      expect(names.all).toEqual([]);
    });

    it('is begun anew where its position is lost', async () => {
      await values.last.answer('x');
      await clock.advance(1_000);
      // Early, and nothing has changed: the servers are shutting down.
      await values.last.answer('x', '7');
      expect(values.last.options).not.toHaveProperty('index');
      expect(seen).toEqual(['x', 'x']);
    });

    it('that is missing is waited for by its name', async () => {
      await values.last.answer(undefined);
      expect(seen).toEqual([undefined]);
      expect(names.last).toMatchObject({ name: 'a', options: { separator: '/', datacenter: 'dc2' } });
      expect(names.last.options).not.toHaveProperty('index');
      await names.last.answer(['ab', 'a/'], '9');
      expect(names.last.options).toMatchObject({ index: '9', wait: 50_000 });
      await clock.advance(50_000);
      await names.last.answer(['ab'], '10');
      // Keys with such names may change all the time.
      expect(names.all).toHaveLength(2);
      await clock.advance(100);
      expect(names.all).toHaveLength(3);
      await names.last.answer(['a', 'ab'], '11');
      expect(values.all).toHaveLength(2);
      await values.last.answer('x', '11');
      expect(seen).toEqual([undefined, 'x']);
    });

    it('that is missing is read again where the position of its name is lost', async () => {
      await values.last.answer(undefined);
      await names.last.answer([], '9');
      client.disconnects++;
      await clock.advance(50_000);
      await names.last.answer([], '3');
      expect(values.all).toHaveLength(2);
    });

    it('that was deleted is told, and waited for', async () => {
      await values.last.answer('x');
      await clock.advance(1_000);
      await values.last.answer(undefined, '8');
      expect(seen).toEqual(['x', undefined]);
      expect(names.all).toHaveLength(1);
    });
  });
});
