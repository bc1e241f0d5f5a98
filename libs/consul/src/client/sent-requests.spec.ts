import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import { systemClock } from '@rookery/discovery/adapter';
import { InstanceLists } from '../registry/instance-lists.js';
import type { AgentOptions } from './agent-options.js';
import { ConsulClient } from './consul-client.js';

describe('what a client sends', () => {
  let server: Server;
  let client: ConsulClient | undefined;
  let asked: string[];
  let headers: Record<string, string>;
  /** The query of each request, by name; of a parameter that is given twice, the last. */
  const sent = (): Record<string, string>[] =>
    asked.map((url) => Object.fromEntries(new URL(url, 'http://agent').searchParams));
  const create = (options: AgentOptions = {}): ConsulClient => {
    const { port } = server.address() as AddressInfo;
    client = ConsulClient.create({ url: `http://127.0.0.1:${port}`, ...options }, {});
    return client;
  };

  beforeEach(async () => {
    asked = [];
    headers = {};
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      // As an agent answers that has no ACLs: the token may read everything.
      if (request.url?.includes('acl/authorize')) {
        response.writeHead(401).end('ACL support disabled');
        return;
      }
      const isObject = /execute|catalog\/services/.test(request.url ?? '');
      response.writeHead(200, { 'x-consul-index': '7', ...headers }).end(isObject ? '{}' : '[]');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    await client?.close();
    server.close();
  });

  it('has the datacenter, the namespace and the partition of its options, unless a call has others', async () => {
    const { health, kv, catalog } = create({ datacenter: 'dc9', namespace: 'team', partition: 'part' });
    await health.service('web');
    await catalog.services();
    await kv.get('a', { datacenter: 'dc2', namespace: 'other', partition: 'own' }).catch(() => undefined);
    expect(sent()).toEqual([
      expect.objectContaining({ dc: 'dc9', ns: 'team', partition: 'part' }),
      { dc: 'dc9', ns: 'team', partition: 'part' },
      { dc: 'dc2', ns: 'other', partition: 'own' },
    ]);
  });

  it('has nothing that it was not told', async () => {
    await create().catalog.services();
    expect(asked).toEqual(['/v1/catalog/services']);
  });

  it('says from where instances are near, which to leave out, how current they are to be, and how long to wait', async () => {
    const { health, catalog, query } = create();
    await health.service('web', { near: '_agent', passing: true, tags: ['a', 'b'], filter: 'x == y' });
    await catalog.service('web', { near: 'node-1', consistency: 'stale', index: '6', wait: '2s' });
    await query.execute('books', { near: '_agent', limit: 3 });
    expect(sent()).toEqual([
      { near: '_agent', passing: expect.any(String), tag: 'b', filter: 'x == y' },
      { near: 'node-1', stale: '', index: '6', wait: '2000ms' },
      { near: '_agent', limit: '3' },
    ]);
    expect(asked[0]).toContain('tag=a&tag=b');
  });

  it('passes near on for lists of a service', async () => {
    const lists = new InstanceLists(create(), { clock: systemClock, random: () => 0 });
    const ending = new AbortController();
    for await (const { instances } of lists.watch('web', { near: '_agent' }, ending.signal)) {
      expect(instances).toEqual([]);
      break;
    }
    ending.abort();
    expect(sent()[0]).toMatchObject({ near: '_agent' });
  });

  it('reports an empty list as denied where the agent says that it left instances out', async () => {
    headers = { 'x-consul-results-filtered-by-acls': 'true' };
    const lists = new InstanceLists(create(), { clock: systemClock, random: () => 0 });
    const watching = lists.watch('web', {}, new AbortController().signal);
    expect(await thrownBy(() => watching.next())).toMatchObject({ code: 'RK_ACL_DENIED' });
  });
});
