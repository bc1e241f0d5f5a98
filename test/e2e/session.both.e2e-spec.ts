import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulKv, ConsulModule, ConsulSession, jsonCodec, textCodec } from '@rookery/consul';
import { eventually, startTestConsul, thrownBy, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';

interface Worker {
  readonly queues: readonly string[];
}

describe('ConsulSession', () => {
  let consul: TestConsul;
  let apps: TestApp[];

  const start = async (): Promise<{ app: TestApp; session: ConsulSession; kv: ConsulKv }> => {
    const app = await startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url } })]));
    apps.push(app);
    return { app, session: app.app.get(ConsulSession), kv: app.app.get(ConsulKv) };
  };

  beforeEach(async () => {
    apps = [];
    consul = await startTestConsul();
  });
  afterEach(async () => {
    consul.resume();
    await Promise.all(apps.map(({ app }) => app.close()));
    await consul.stop();
  });

  it('keys live as long as their process, and everyone sees the members', async () => {
    const [one, other] = [await start(), await start()];
    expect(one.session.id).toBeUndefined();
    const me = await one.session.put<Worker>('workers/a', { queues: ['mail'] });
    expect(me.isWritten).toBe(true);
    expect((await one.kv.get('workers/a'))?.session).toBe(one.session.id);
    const seen: string[][] = [];
    other.session
      .watch<Worker>('workers/')
      .subscribe((members) => seen.push(members.map(({ key, value }) => `${key} ${value.queues.join()}`)));
    await other.session.put<Worker>('workers/b', { queues: [] });
    // A key that no session holds is no member.
    await other.kv.put('workers/old', '{"queues":[]}');
    await eventually(() => seen.at(-1)?.join('; ') === 'workers/a mail; workers/b ');
    me.update({ queues: ['mail', 'exports'] });
    await eventually(() => seen.at(-1)?.join('; ') === 'workers/a mail,exports; workers/b ');
    await me.remove();
    await eventually(() => seen.at(-1)?.join('; ') === 'workers/b ');
    const again = await one.session.put<Worker>('workers/a', { queues: ['x'] });
    expect(again.isWritten).toBe(true);
    const closing = performance.now();
    await one.app.app.close();
    await eventually(() => seen.at(-1)?.join('; ') === 'workers/b ');
    expect(performance.now() - closing).toBeLessThan(9_000); // not by its TTL
  });

  it('writes its keys again with another session when Consul loses the first, or is restarted empty', async () => {
    const { session, kv } = await start();
    await session.put('workers/a', 'hello', { codec: textCodec });
    const first = session.id;
    await consul.request('PUT', `/v1/session/destroy/${first}`);
    await eventually(async () => (await kv.get('workers/a'))?.value === 'hello');
    expect(session.id).not.toBe(first);
    await consul.restart({ keepData: false });
    await eventually(async () => (await kv.get('workers/a'))?.value === 'hello', { within: 30_000 });
  }, 60_000);

  it('begins without Consul, and writes its keys when it comes', async () => {
    const { session, kv } = await start();
    await consul.kill();
    const key = await session.put('workers/a', { queues: [] });
    expect(key.isWritten).toBe(false);
    await consul.restart();
    await eventually(() => key.isWritten, { within: 40_000 });
    expect((await kv.get('workers/a', { codec: jsonCodec() }))?.value).toEqual({ queues: [] });
  }, 60_000);

  it('waits for a key that another session holds, such as that of its predecessor', async () => {
    const [one, other] = [await start(), await start()];
    await one.session.put('workers/a', 1);
    const second = await other.session.put('workers/a', 2);
    expect(second.isWritten).toBe(false);
    await one.app.app.close();
    await eventually(() => second.isWritten);
    expect((await other.kv.get('workers/a'))?.value).toBe('2');
  });

  it('refuses a key that it has written, and values without a form', async () => {
    const { session } = await start();
    await session.put('workers/a', 1);
    for (const attempt of [
      () => session.put('workers/a', 2),
      () => session.put('', 2),
      () => session.put('a//b', 2),
      () => session.put('workers/b', () => 1),
    ])
      expect(await thrownBy(attempt)).toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
  });
});
