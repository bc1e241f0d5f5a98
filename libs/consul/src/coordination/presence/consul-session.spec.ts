import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import { FakeClock, FakeKeyStore, RecordingLogger, settle, type FakeCall } from '@rookery/test-support';
import { EMPTY, of } from 'rxjs';
import type { ConsulClient } from '../../client/consul-client.js';
import { ConsulKv, type KvWatchOptions } from '../../kv/consul-kv.js';
import { jsonCodec, textCodec } from '../../kv/kv-codec.js';
import { ConsulSession } from './consul-session.js';
import type { EphemeralKey } from './ephemeral-key.js';

describe('ConsulSession', () => {
  const FLAGS = Number(0x726f6f6b657279n);
  const TTL_MS = 60_000;
  let clock: FakeClock;
  let store: FakeKeyStore;
  let kv: ConsulKv;
  let logger: RecordingLogger;
  let session: ConsulSession;

  beforeEach(() => {
    clock = new FakeClock();
    store = new FakeKeyStore((id) => new DiscoveryError('RK_NOT_FOUND', `no session ${id}`));
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    const client = store as unknown as ConsulClient;
    kv = new ConsulKv(client);
    session = new ConsulSession(client, kv, {
      clock,
      random: () => 1,
      spec: async () => ({
        ...{ name: 'keys of web', ttlMs: TTL_MS, lockDelayMs: 0, behavior: 'delete', checks: [] },
      }),
    });
  });
  afterEach(async () => {
    store.before = () => undefined;
    const closed = session.beforeApplicationShutdown();
    await clock.advance(3_000);
    await closed;
    Logger.overrideLogger(new ConsoleLogger());
  });

  const put = async (key: string, value: unknown = 1): Promise<EphemeralKey<unknown>> => {
    const written = session.put(key, value);
    await settle();
    return written;
  };
  const failing = (name: string, key: string, message = 'boom'): void => {
    store.before = (call) => {
      if (call.name === name && call.of.endsWith(key)) throw new Error(message);
    };
  };
  /** What was asked since the last time. */
  const asked = (): readonly string[] => {
    const all = store.asked;
    store.calls.length = 0;
    return all;
  };

  it('writes keys that belong to its one session', async () => {
    expect(session.id).toBeUndefined();
    const [a, b] = await Promise.all([session.put('workers/a', { n: 1 }), session.put('workers/b', 'b')]);
    expect([a.isWritten, b.isWritten, session.id]).toEqual([true, true, 's1']);
    expect([...store.entries.values()]).toMatchObject([
      { key: 'workers/a', value: Buffer.from('{"n":1}'), session: 's1', flags: FLAGS },
      { key: 'workers/b', value: Buffer.from('"b"'), session: 's1', flags: FLAGS },
    ]);
    expect([...store.sessions.values()]).toMatchObject([{ Name: 'keys of web', Behavior: 'delete' }]);
    expect(asked()).toEqual([
      'create keys of web',
      ...['get workers/a', 'commit lock workers/a', 'get workers/b', 'commit lock workers/b'],
    ]);
    expect(logger.lines).toEqual([]);
  });

  it('writes a value in the form of its codec', async () => {
    await session.put('a', 'x', { codec: textCodec });
    expect(String(store.entries.get('a')?.value)).toBe('x');
  });

  it('writes at once what has changed, and nothing else', async () => {
    const a = await put('a');
    await put('b');
    asked();
    a.update(2);
    expect(a.isWritten).toBe(false);
    await settle();
    expect(a.isWritten).toBe(true);
    expect(String(store.entries.get('a')?.value)).toBe('2');
    expect(asked()).toEqual(['get a', 'commit lock a']);
  });

  it('looks at its keys each fifteen seconds, and writes one again that was deleted', async () => {
    const a = await put('a');
    asked();
    await clock.advance(14_999);
    expect(asked()).toEqual([]);
    await clock.advance(1);
    expect(asked()).toEqual(['get a']);
    expect(a.isWritten).toBe(true);
    store.entries.delete('a');
    await clock.advance(15_000);
    expect(asked()).toEqual(['get a', 'get a', 'commit lock a']);
    expect(store.entries.get('a')?.session).toBe('s1');
    expect(a.isWritten).toBe(true);
  });

  it('looks again only when what has changed meanwhile is written', async () => {
    const a = await put('a');
    await clock.advance(10_000);
    a.update(2);
    await settle();
    asked();
    await clock.advance(14_999);
    expect(asked()).toEqual([]);
    await clock.advance(1);
    expect(asked()).toEqual(['get a']);
  });

  it('waits for a key of another session, and takes it when that is over', async () => {
    store.sessions.set('other', { Behavior: 'delete' });
    store.set('a', 'theirs', { session: 'other' });
    const a = await put('a');
    const b = await put('b');
    expect([a.isWritten, b.isWritten]).toEqual([false, true]);
    asked();
    await clock.advance(999);
    expect(asked()).toEqual([]);
    await clock.advance(1);
    expect(asked()).toEqual(['get a', 'commit lock a']);
    store.end('other');
    await clock.advance(1_000);
    expect([a.isWritten, store.entries.get('a')?.session]).toEqual([true, 's1']);
    expect(logger.lines).toEqual([]);
  });

  it('looks at the others while one is held by another session, or changes all the time', async () => {
    store.sessions.set('other', { Behavior: 'delete' });
    store.set('a', 'theirs', { session: 'other' });
    await put('a');
    const b = await put('b');
    store.entries.delete('b');
    await clock.advance(16_000);
    expect([b.isWritten, store.entries.get('b')?.session]).toEqual([true, 's1']);
    store.end('other');
    await clock.advance(1_000);
    const a = await put('c');
    store.entries.delete('b');
    for (let n = 0; n < 4; n++) {
      a.update(n);
      await clock.advance(5_000);
    }
    expect(store.entries.get('b')?.session).toBe('s1');
  });

  it('leaves a key alone that is something else, and says so', async () => {
    store.set('a', 'settings', { flags: 0 });
    const refused = session.put('a', 1);
    const b = session.put('b', 1);
    await expect(refused).rejects.toMatchObject({ code: 'RK_LOCK_CONFLICT' });
    expect((await b).isWritten).toBe(true);
    expect(String(store.entries.get('a')?.value)).toBe('settings');
    expect(logger.matching(/^error .*a is in use for something else/)).toHaveLength(1);
    asked();
    await clock.advance(15_000);
    expect(asked()).toEqual(['get b']);
    store.entries.delete('a');
    expect((await put('a')).isWritten).toBe(true);
  });

  it('has a key of its own kind that a session has left', async () => {
    store.set('a', 'left', { flags: FLAGS });
    expect((await put('a')).isWritten).toBe(true);
  });

  describe('when a key cannot be written', () => {
    it('writes the others, tells why once, and tries again later and later', async () => {
      failing('get', 'a');
      const a = session.put('a', 1);
      const b = session.put('b', 1);
      expect([(await a).isWritten, (await b).isWritten]).toEqual([false, true]);
      asked();
      for (const waitMs of [500, 1_000, 2_000]) {
        await clock.advance(waitMs - 1);
        expect(asked()).toEqual([]);
        await clock.advance(1);
        expect(asked()).toEqual(['get a']);
      }
      expect(logger.matching(/^warn .*cannot write a, retrying: boom/)).toHaveLength(1);
      failing('get', 'a', 'another');
      await clock.advance(4_000);
      expect(logger.matching(/cannot write a, retrying: another/)).toHaveLength(1);
      expect(logger.lines).toHaveLength(2);
    });

    it('begins anew when it was written meanwhile', async () => {
      failing('get', 'a');
      const a = await put('a');
      await clock.advance(1_500);
      store.before = () => undefined;
      await clock.advance(2_000);
      expect(a.isWritten).toBe(true);
      asked();
      failing('get', 'a');
      a.update(2);
      await settle();
      asked();
      await clock.advance(499);
      expect(asked()).toEqual([]);
      await clock.advance(1);
      expect(asked()).toEqual(['get a']);
    });

    it('is not written with what it has now', async () => {
      const a = await put('a');
      failing('commit', 'a');
      a.update(2);
      await settle();
      expect(a.isWritten).toBe(false);
    });
  });

  describe('without a session', () => {
    it('tells why once, and tries again later and later', async () => {
      failing('create', 'web');
      const a = await put('a');
      expect([a.isWritten, session.id]).toEqual([false, undefined]);
      asked();
      for (const waitMs of [500, 1_000]) {
        await clock.advance(waitMs - 1);
        expect(asked()).toEqual([]);
        await clock.advance(1);
        expect(asked()).toEqual(['create keys of web']);
      }
      expect(logger.lines).toEqual([expect.stringMatching(/^warn cannot write its keys, retrying: boom/)]);
      store.before = () => undefined;
      await clock.advance(2_000);
      expect([a.isWritten, session.id]).toEqual([true, 's1']);
    });

    it('opens another one for one that Consul has ended, and writes all keys again', async () => {
      const a = await put('a');
      const b = await put('b');
      asked();
      store.end('s1');
      let isWritten: unknown;
      store.before = ({ name }: FakeCall) => {
        if (name === 'create') isWritten = [a.isWritten, b.isWritten, session.id];
      };
      await clock.advance(TTL_MS / 12);
      expect(isWritten).toEqual([false, false, undefined]);
      expect(asked()).toEqual([
        ...['destroy s1', 'create keys of web', 'get a', 'commit lock a', 'get b', 'commit lock b'],
      ]);
      expect([a.isWritten, b.isWritten, session.id]).toEqual([true, true, 's2']);
    });

    it('opens another one when a write finds that it is gone', async () => {
      const a = await put('a');
      store.end('s1');
      asked();
      a.update(2);
      await settle();
      expect(asked()).toEqual([
        ...['get a', 'commit lock a', 'destroy s1', 'create keys of web', 'get a', 'commit lock a'],
      ]);
      expect([a.isWritten, store.entries.get('a')?.session]).toEqual([true, 's2']);
    });

    it('ends the one before first, which may hold the keys in Consul', async () => {
      await put('a');
      store.before = ({ name }) => {
        if (name !== 'create') throw new Error('away');
      };
      await clock.advance(0.8 * TTL_MS);
      expect(session.id).toBeUndefined();
      expect(store.asked.filter((call) => call.startsWith('create'))).toHaveLength(1);
      store.before = () => undefined;
      await clock.advance(10_000);
      expect([store.entries.get('a')?.session, [...store.sessions.keys()]]).toEqual(['s2', ['s2']]);
    });
  });

  describe('that removes a key', () => {
    it('deletes it while it is its own, once', async () => {
      const a = await put('a');
      asked();
      await a.remove();
      await a.remove();
      expect(asked()).toEqual(['commit check-session a, delete a']);
      expect(store.entries.size).toBe(0);
      await clock.advance(15_000);
      expect(asked()).toEqual([]);
      const again = await put('a', 2);
      await a.remove();
      expect([again.isWritten, store.entries.size]).toEqual([true, 1]);
    });

    it('leaves one that is of another session', async () => {
      const a = await put('a');
      store.set('a', 'theirs', { session: 'other' });
      await a.remove();
      expect(store.entries.get('a')?.session).toBe('other');
    });

    it('fails when Consul does not respond', async () => {
      const a = await put('a');
      failing('commit', 'delete a', 'away');
      await expect(a.remove()).rejects.toThrow('away');
      await expect(a.remove()).rejects.toThrow('away');
      expect(store.entries.has('a')).toBe(true);
      store.before = () => undefined;
      await a.remove();
      expect(store.entries.has('a')).toBe(false);
    });

    it('goes on in the background where that failed, unless it was written again meanwhile', async () => {
      const a = await put('a');
      const b = await put('b');
      store.before = (call) => {
        if (call.of.includes('delete')) throw new Error('away');
      };
      await expect(a.remove()).rejects.toThrow('away');
      await expect(b.remove()).rejects.toThrow('away');
      const again = await put('b', 'again');
      store.before = () => undefined;
      await clock.advance(10_000);
      expect([...store.entries.keys()]).toEqual(['b']);
      asked();
      await clock.advance(15_000);
      expect([asked(), again.isWritten]).toEqual([['get b'], true]);
    });

    it('asks for nothing without a session', async () => {
      failing('create', 'web');
      const a = await put('a');
      asked();
      await a.remove();
      expect(asked()).toEqual([]);
    });

    it('does so after a write that is on its way, and after one that failed', async () => {
      const a = await put('a');
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (go = resolve));
      store.before = ({ of: what }) => (what === 'lock a' ? held : undefined);
      a.update(2);
      await settle();
      const removed = a.remove();
      await settle();
      expect(store.asked.at(-1)).toBe('commit lock a');
      go();
      await removed;
      expect(store.entries.size).toBe(0);
      const b = await put('b');
      failing('commit', 'lock b');
      b.update(2);
      await settle();
      await b.remove();
      expect(store.entries.size).toBe(0);
    });

    it('does not write one that waited for its turn', async () => {
      const [a, b] = await Promise.all([session.put('a', 1), session.put('b', 1)]);
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (go = resolve));
      store.before = ({ of: what }) => (what === 'lock a' ? held : undefined);
      a.update(2);
      b.update(2);
      await settle();
      const removed = b.remove();
      go();
      await removed;
      await settle();
      expect([...store.entries.keys()]).toEqual(['a']);
    });
  });

  describe('of an app that is closed', () => {
    it('ends, with its keys, and writes no more', async () => {
      const a = await put('a');
      await session.beforeApplicationShutdown();
      expect([store.sessions.size, store.entries.size, session.id, a.isWritten]).toEqual([
        ...[0, 0, undefined, false],
      ]);
      expect(clock.pending).toBe(0);
      asked();
      a.update(2);
      await a.remove();
      await expect(session.put('b', 1)).rejects.toMatchObject({ code: 'RK_SHUT_DOWN' });
      await clock.advance(60_000);
      expect(asked()).toEqual([]);
      expect(logger.lines).toEqual([]);
    });

    it('fails what is being written, and ends a session that has just been opened', async () => {
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (go = resolve));
      store.before = ({ name }) => (name === 'create' ? held : undefined);
      const written = session.put('a', 1);
      written.catch(() => undefined);
      await settle();
      const closed = session.beforeApplicationShutdown();
      await expect(written).rejects.toMatchObject({ code: 'RK_SHUT_DOWN' });
      go();
      await closed;
      expect([store.sessions.size, store.entries.size]).toEqual([0, 0]);
      expect(clock.pending).toBe(0);
    });

    it('waits three seconds at most for a Consul that does not respond', async () => {
      await put('a');
      store.before = () => new Promise(() => undefined);
      let isClosed = false;
      const closed = session.beforeApplicationShutdown().then(() => (isClosed = true));
      await clock.advance(2_999);
      expect([isClosed, store.calls.at(-1)]).toMatchObject([
        false,
        { name: 'destroy', options: { timeout: 3_000 } },
      ]);
      await clock.advance(1);
      await closed;
    });

    it('logs nothing of a write that its end has interrupted', async () => {
      const a = await put('a');
      let fail: (error: Error) => void = () => undefined;
      const held = new Promise<void>((_, reject) => (fail = reject));
      store.before = ({ name }) => (name === 'get' ? held : undefined);
      a.update(2);
      await settle();
      const signal = store.calls.at(-1)?.options.signal as AbortSignal;
      const closed = session.beforeApplicationShutdown();
      expect(signal.aborted).toBe(true);
      fail(new Error('aborted'));
      await closed;
      expect(logger.lines).toEqual([]);
    });
  });

  it('refuses a key that is empty, or that it has', async () => {
    await put('a');
    for (const [key, message] of [
      ['', 'ephemeral key "": it is empty'],
      ['a', 'ephemeral key "a": this app has written it already'],
    ] as const)
      await expect(session.put(key, 1)).rejects.toMatchObject({
        ...{ code: 'RK_INVALID_ARGUMENT', message: expect.stringContaining(message) },
        hint: expect.stringContaining('update() changes its value'),
      });
    await expect(session.put('a//b', 1)).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    await expect(session.put('c', undefined)).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    expect((await put('c')).isWritten).toBe(true);
  });

  it('watches the ephemeral keys below a prefix', () => {
    const watched: unknown[] = [];
    const entries = [{ key: 'w/a', session: 's1' }, { key: 'w/b' }];
    const watchTree = (prefix: string, { datacenter, codec }: KvWatchOptions<unknown>): unknown => {
      watched.push([prefix, datacenter, codec?.decode(Buffer.from('{"n":1}'))]);
      return prefix === 'w/' ? of(entries) : EMPTY;
    };
    kv.watchTree = watchTree as typeof kv.watchTree;
    const seen: unknown[] = [];
    session.watch('w/').subscribe((keys) => seen.push(keys.map(({ key }) => key)));
    expect(seen).toEqual([['w/a']]);
    session.watch('x/', { datacenter: 'dc2', codec: textCodec }).subscribe();
    session.watch('y/', { codec: jsonCodec() }).subscribe();
    expect(watched).toEqual([
      ['w/', undefined, { n: 1 }],
      ['x/', 'dc2', '{"n":1}'],
      ['y/', undefined, { n: 1 }],
    ]);
  });
});
