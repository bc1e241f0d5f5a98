import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeAgent, FakeClock } from '@rookery/test-support';
import { resolveAgent } from '../client/agent-options.js';
import { ConsulConfigStore } from './consul-config.store.js';

describe('ConsulConfigStore', () => {
  const { signal } = new AbortController();
  let agent: FakeAgent;
  let store: ConsulConfigStore;

  beforeEach(async () => {
    agent = await FakeAgent.start();
  });
  afterEach(async () => {
    await store.close();
    agent.stop();
  });
  const open = (datacenter?: string, trees = 1): ConsulConfigStore => {
    const { agent: resolved } = resolveAgent({ url: agent.url, namespace: 'team' }, {});
    if (!resolved) throw new Error('its options are wrong');
    return (store = new ConsulConfigStore(resolved, datacenter, { trees, clock: new FakeClock() }));
  };
  const entry = { Key: 'config/a', Value: 'eA==', Flags: 0, CreateIndex: 1, ModifyIndex: 2, LockIndex: 0 };

  it('reads trees and keys, of its datacenter', async () => {
    agent.answers = { '/v1/kv/config/': [entry], '/v1/kv/config/a': [entry] };
    open('dc2');
    expect(store.isPushed).toBe(false);
    expect(store.scope).toEqual([null, 'team', null, 'dc2']);
    expect(await store.list('config/', signal, false)).toMatchObject([{ key: 'config/a' }]);
    await store.list('config/', signal, true);
    expect(await store.get('config/a', signal)).toMatchObject({ key: 'config/a' });
    expect(agent.asked).toEqual([
      '/v1/kv/config/?recurse=&dc=dc2&ns=team',
      '/v1/kv/config/?recurse=&dc=dc2&ns=team&consistent=',
      '/v1/kv/config/a?dc=dc2&ns=team&consistent=',
    ]);
  });

  it('reads those of the agent itself, where no other datacenter is given', async () => {
    open();
    expect(store.scope).toEqual([null, 'team', null, null]);
    expect(await store.get('config/a', signal)).toBeUndefined();
    expect(agent.asked).toEqual(['/v1/kv/config/a?ns=team&consistent=']);
    expect(store.readRule('config/"a')).toBe('key_prefix "config/\\"a" { policy = "read" }');
  });

  it('watches as many trees at once as there are, and goes on to read', async () => {
    open('dc2', 2);
    const first: unknown[] = [];
    agent.answers['/v1/kv/b/'] = agent.answers['/v1/kv/a/'] = (url: string) =>
      url.includes('index') ? new Promise(() => undefined) : [entry];
    for (const prefix of ['a/', 'b/'])
      void (async () => {
        for await (const tree of store.watch(prefix, signal)) first.push(tree);
      })().catch(() => undefined);
    for (let tries = 0; tries < 500 && agent.asked.filter((url) => url.includes('index')).length < 2; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(first).toHaveLength(2);
    agent.answers['/v1/kv/c'] = [entry];
    expect(await store.get('c', signal)).toMatchObject({ key: 'config/a' });
    expect(agent.asked.filter((url) => url.includes('index=7')).every((url) => url.includes('dc=dc2'))).toBe(
      true,
    );
  });
});
