import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { resolveAgent, type ResolvedAgent } from '../client/agent-options.js';
import { createWorkerReporter, workerReporterSource, type PlainAgent } from './worker-reporter.js';

/** Longer than any test: none is about it. */
const LIMIT_MS = 60_000;

describe('the reporter of a worker thread', () => {
  let server: Server;
  let url: string;
  let asked: unknown[];

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { 'x-consul-token': token, authorization } = request.headers;
        asked.push([request.url, body, token, authorization]);
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const agentOf = (address: string, options: object = {}): ResolvedAgent => {
    const { agent } = resolveAgent({ url: address, ...options }, {});
    if (!agent) throw new Error('its options are wrong');
    return agent;
  };

  it('is made of what can be copied to a thread, and reports with the token that it is given', async () => {
    const source = workerReporterSource(agentOf(`http://user:secret@${url}`, { datacenter: 'dc2' }));
    expect(source.module).toMatch(/worker-reporter\.js$/);
    const reporter = createWorkerReporter(structuredClone(source.data) as PlainAgent);
    await reporter.report('a:ttl', 'warning', 'slow', LIMIT_MS);
    reporter.setToken('a-token');
    await reporter.report('a:ttl', 'passing', '', LIMIT_MS);
    reporter.setToken(undefined);
    await reporter.report('a:ttl', 'passing', '', LIMIT_MS);
    await reporter.close();
    const basic = `Basic ${Buffer.from('user:secret').toString('base64')}`;
    const path = '/v1/agent/check/update/a%3Attl?dc=dc2';
    expect(asked).toEqual([
      [path, '{"Status":"warning","Output":"slow"}', undefined, basic],
      [path, '{"Status":"passing","Output":""}', 'a-token', basic],
      [path, '{"Status":"passing","Output":""}', undefined, basic],
    ]);
  });

  it('has no password where there is none', async () => {
    const { data, token } = workerReporterSource(agentOf(`http://${url}`));
    const reporter = createWorkerReporter(data as PlainAgent);
    await reporter.report('a', 'passing', '', LIMIT_MS);
    await reporter.close();
    expect(asked).toEqual([[expect.any(String), expect.any(String), undefined, undefined]]);
    expect(await token()).toBeUndefined();
  });

  it('gets its token from the main thread, which fetches another one when it was refused', async () => {
    const agent = agentOf(`http://${url}`, { token: 'configured' });
    const refused: unknown[] = [];
    const current = agent.token.current.bind(agent.token);
    const watched: ResolvedAgent = {
      ...agent,
      token: {
        ...{ current, version: undefined },
        refused: async (token, isUnknown) => {
          refused.push([token?.reveal(), isUnknown]);
          return false;
        },
      },
    };
    const source = workerReporterSource(watched);
    expect(await source.token()).toBe('configured');
    await source.refused('ACL not found');
    await source.refused('Permission denied');
    expect(refused).toEqual([
      ['configured', true],
      ['configured', false],
    ]);
  });
});
