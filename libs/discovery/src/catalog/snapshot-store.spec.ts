import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '@rookery/test-support';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { LastKnownList } from './last-known-list.js';
import { SnapshotStore } from './snapshot-store.js';

describe('SnapshotStore', () => {
  let home: string;
  let directory: string;
  let clock: FakeClock;
  let failures: string[];
  const open = (): SnapshotStore =>
    new SnapshotStore({ clock, directory, onFailure: (_, reason) => failures.push(reason) });
  const registry = new InMemoryRegistry();
  const list = (...ports: number[]): LastKnownList => ({
    instances: ports.map((port) =>
      registry.put({
        service: 'inventory',
        port,
        tags: ['ä'],
        meta: { k: '"\n' },
        zone: port === 1 ? 'z' : undefined,
        ...(port === 2 ? { secure: true, inMesh: true } : {}),
      }),
    ),
    source: 'live',
    confirmedAt: 1_000,
  });
  const file = (): string => join(directory, readdirSync(directory)[0] ?? '');

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'rookery-store-'));
    directory = join(home, 'deep', 'snapshots');
    clock = new FakeClock();
    failures = [];
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('restores what was saved, frozen and marked as from disk, in another process', async () => {
    const store = open();
    store.save('a', list(1, 2));
    await store.flush();
    const loaded = await open().load('a');
    expect(loaded).toEqual({ ...list(1, 2), source: 'disk' });
    expect(Object.isFrozen(loaded?.instances[0]?.meta)).toBe(true);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(await open().load('b')).toBeUndefined();
    expect(failures).toEqual([]);
  });

  it('writes only the last of many changes, and an unchanged list only rarely', async () => {
    const store = open();
    for (let port = 1; port <= 50; port++) store.save('a', list(port));
    await clock.advance(1_000);
    await store.flush();
    expect((await open().load('a'))?.instances.map(({ port }) => port)).toEqual([50]);
    const before = statSync(file()).ino;
    const same = list(50);
    store.save('a', same);
    await store.flush();
    const after = statSync(file()).ino;
    expect(after).not.toBe(before);
    store.save('a', same);
    await clock.advance(10_000);
    expect(statSync(file()).ino).toBe(after);
    await clock.advance(300_000);
    store.save('a', same);
    await store.flush();
    expect(statSync(file()).ino).not.toBe(after);
    expect(clock.pending).toBe(0);
  });

  it.each<[string, (bytes: string) => string, RegExp]>([
    ['cut short', (bytes) => bytes.slice(0, 40), /JSON|Unterminated/],
    ['empty', () => '', /JSON/],
    ['changed', (bytes) => bytes.replace('3000', '3001'), /checksum/],
    ['something else', () => '{"hello":1}', /not a snapshot/],
    ['zeros', (bytes) => '\0'.repeat(bytes.length), /JSON/],
  ])('reports and ignores a file that is %s', async (_, change, reason) => {
    const store = open();
    store.save('a', list(3000));
    await store.flush();
    writeFileSync(file(), change(readFileSync(file(), 'utf8')));
    expect(await store.load('a')).toBeUndefined();
    expect(failures).toEqual([expect.stringMatching(reason)]);
  });

  it('does not confuse the files of two lists', async () => {
    const store = open();
    store.save('a', list(1));
    await store.flush();
    const bytes = readFileSync(file());
    const [a] = readdirSync(directory);
    store.save('b', list(2));
    await store.flush();
    const b = readdirSync(directory).find((name) => name !== a) ?? '';
    writeFileSync(join(directory, b), bytes);
    expect(await store.load('b')).toBeUndefined();
    expect(failures).toEqual(['ignored: the list of another query']);
  });

  it('is never read half written, however many processes write the same file', async () => {
    const stores = Array.from({ length: 4 }, open);
    const writing = stores.map(async (store, n) => {
      for (let round = 0; round < 25; round++) {
        store.save('a', list(...Array.from({ length: 20 * (n + 1) }, (_, at) => at + 1)));
        await store.flush();
        expect(((await store.load('a'))?.instances.length ?? 0) % 20).toBe(0);
      }
    });
    await Promise.all(writing);
    expect(failures).toEqual([]);
    expect(readdirSync(directory)).toHaveLength(1); // no temporary file is left
  });

  it('logs once that a folder cannot be written, and again after a success', async () => {
    writeFileSync(join(home, 'deep'), 'a file where the folder should be');
    const store = open();
    for (let n = 1; n <= 3; n++) {
      store.save('a', list(n));
      await store.flush();
    }
    expect(failures).toEqual([expect.stringMatching(/cannot be written: (ENOTDIR|EEXIST)/)]);
    rmSync(join(home, 'deep'));
    store.save('a', list(4));
    await store.flush();
    expect((await store.load('a'))?.instances.map(({ port }) => port)).toEqual([4]);
    chmodSync(directory, 0o700);
  });

  it('writes a second after the first change, and by itself again after the next one', async () => {
    const store = open();
    const writtenAfter = async (port: number): Promise<(number | undefined)[]> => {
      store.save('a', list(port));
      await clock.advance(999);
      expect(clock.pending).toBe(1);
      await clock.advance(1);
      await store.flush();
      expect(clock.pending).toBe(0);
      return (await open().load('a'))?.instances.map((each) => each.port) ?? [];
    };
    expect(await writtenAfter(7)).toEqual([7]);
    expect(await writtenAfter(8)).toEqual([8]);
    // What was written once is not written again with the next one.
    const { ino } = statSync(file());
    store.save('b', list(9));
    await store.flush();
    expect(readdirSync(directory)).toHaveLength(2);
    expect(readdirSync(directory).map((name) => statSync(join(directory, name)).ino)).toContain(ino);
  });

  it('writes an unchanged list every five minutes, and at once what it has forgotten', async () => {
    const store = open();
    const same = list(1);
    const save = async (): Promise<number> => {
      store.save('a', same);
      const due = clock.pending;
      await store.flush();
      return due;
    };
    expect(await save()).toBe(1);
    await clock.advance(299_999);
    expect(await save()).toBe(0);
    await clock.advance(1);
    expect(await save()).toBe(1);
    expect(await save()).toBe(0);
    store.forget('a');
    expect(await save()).toBe(1);
  });
});
