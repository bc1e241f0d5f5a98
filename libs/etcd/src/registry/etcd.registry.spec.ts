import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdError } from '../client/etcd-error.js';
import { EtcdRegistry } from './etcd.registry.js';

describe('EtcdRegistry', () => {
  it('reads a list again that began stale, until it comes from the leader, and then watches it', async () => {
    const clock = new FakeClock();
    let hasLeader = false;
    let watches = 0;
    const client = {
      description: 'etcd',
      kv: {
        range: async (_range: unknown, { serializable = false }: { serializable?: boolean }) => {
          if (!serializable && !hasLeader) throw new EtcdError('RK_REGISTRY_NO_LEADER', 'no leader');
          return { values: [], revision: 7n };
        },
      },
      watch: async function* (_range: unknown, _from: bigint, signal: AbortSignal) {
        watches++;
        yield { revision: 8n, events: [] };
        await once(signal, 'abort');
        throw signal.reason;
      },
    } as unknown as EtcdClient;
    const registry = new EtcdRegistry(client, {}, { clock, random: () => 0 });
    const leaving = new AbortController();
    const sources: string[] = [];
    const watching = (async () => {
      for await (const { source } of registry.watch('web', {}, leaving.signal)) sources.push(source);
    })();
    await settle();
    await clock.advance(2_000);
    expect(sources).toEqual(['stale', 'stale']);
    hasLeader = true;
    await clock.advance(2_000);
    expect(sources).toEqual(['stale', 'stale', 'live']);
    await clock.advance(60_000);
    expect([sources.length, watches, clock.pending]).toEqual([3, 3, 0]);
    leaving.abort(new Error('left'));
    await expect(watching).rejects.toThrow('left');
  });
});
