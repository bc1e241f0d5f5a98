import {
  createServer,
  get,
  request,
  type ClientRequest,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { discoveryAgent, DiscoveryService, type ServiceClientOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, freePorts } from '@rookery/test-support';
import axios from 'axios';
import { rootModule } from './test-app.js';

describe('discoveryAgent, for node:http', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const listen = async (listener: RequestListener): Promise<number> => {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
  const start = async (ports: readonly number[], options: ServiceClientOptions = {}) => {
    const registry = new InMemoryRegistry();
    for (const port of ports)
      registry.put({ service: 'books', address: '127.0.0.1', port, id: String(port) });
    const app = await NestFactory.createApplicationContext(
      rootModule([DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) })]),
      { logger: false, abortOnError: false },
    );
    cleanUps.push(() => app.close());
    const discovery = app.get(DiscoveryService);
    return { agent: discoveryAgent(discovery, options), discovery };
  };
  const ask = (
    agent: ReturnType<typeof discoveryAgent>,
    url = 'http://books.service/books',
  ): Promise<string> =>
    new Promise((resolve, reject) => {
      get(url, { agent }, (response: IncomingMessage) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(`${response.statusCode} ${text}`));
      }).on('error', reject);
    });

  it('connects each request to an instance, the next one where one refuses, bodies included', async () => {
    const { agent } = await start([
      ...(await freePorts(2)),
      await listen((incoming, response) => {
        incoming.on('data', () => undefined);
        incoming.on('end', () => response.end(`${incoming.method} ${incoming.url} ${incoming.headers.host}`));
      }),
    ]);
    for (let n = 0; n < 6; n++) expect(await ask(agent)).toBe('200 GET /books books.service');
    const { data } = await axios.post<string>('http://books.service/books', 'body', {
      httpAgent: agent,
      proxy: false,
    });
    expect(data).toBe('POST /books books.service');
  });

  it('balances by connection, and counts the status of each response', async () => {
    let broken = 0;
    const { agent, discovery } = await start([
      await listen((_, response) => {
        broken++;
        response.writeHead(503).end();
      }),
      await listen((_, response) => response.end('fine')),
    ]);
    const answers: string[] = [];
    for (let n = 0; n < 40; n++) answers.push(await ask(agent));
    expect(broken).toBeGreaterThan(0);
    // A failure costs the instance a second of latency: it is avoided from then on.
    expect(broken).toBeLessThan(10);
    expect(answers.filter((answer) => answer === '200 fine')).toHaveLength(40 - broken);
    await eventually(async () => {
      const { instances } = await discovery.explain('books');
      return instances.every(({ calls }) => calls?.inFlight === 0);
    });
  });

  it('passes an error on: no instance, all refused, one that hangs up; and the caller giving up is no fault', async () => {
    const none = await start([]);
    await expect(ask(none.agent)).rejects.toMatchObject({ code: 'RK_NO_INSTANCES' });
    const refused = await start(await freePorts(2));
    await expect(ask(refused.agent)).rejects.toMatchObject({
      code: 'RK_CALL_FAILED',
      call: { attempts: [{}, {}] },
    });
    const rude = await start([await listen((incoming) => incoming.socket.resetAndDestroy())]);
    await expect(ask(rude.agent)).rejects.toMatchObject({ code: 'ECONNRESET' });
    const ways: ((leaving: ClientRequest, controller: AbortController) => void)[] = [
      (leaving) => leaving.destroy(),
      (leaving) => leaving.destroy(new Error('enough')),
      (_, controller) => controller.abort(),
    ];
    for (const leave of ways) {
      let arrived = 0;
      const silent = await start([await listen(() => arrived++)]);
      const controller = new AbortController();
      const options = { agent: silent.agent, signal: controller.signal };
      const leaving = request('http://books.service/', options).on('error', () => undefined);
      leaving.end();
      await eventually(() => arrived > 0);
      leave(leaving, controller);
      await eventually(async () => {
        const [instance] = (await silent.discovery.explain('books')).instances;
        return instance?.calls?.inFlight === 0 && instance.calls.successRate === 1;
      });
    }
  });

  it('counts the status that comes after provisional ones', async () => {
    const { agent, discovery } = await start([
      await listen((_, response) => {
        response.writeContinue();
        response.writeHead(503).end();
      }),
    ]);
    expect(await ask(agent)).toBe('503 ');
    const [instance] = (await discovery.explain('books')).instances;
    expect(instance?.calls?.latencyMs).toBeGreaterThanOrEqual(1_000);
  });

  it('ends a request without a response at its deadline', async () => {
    const { agent } = await start([await listen(() => undefined)], { timeout: '100ms' });
    await expect(ask(agent)).rejects.toThrow(/no response in/);
  });

  it('leaves other hosts to node:http, and refuses wrong options', async () => {
    const port = await listen((_, response) => response.end('other'));
    const { agent, discovery } = await start([]);
    expect(await ask(agent, `http://127.0.0.1:${port}/`)).toBe('200 other');
    expect(() => discoveryAgent(discovery, { domains: [''] })).toThrow(
      /discoveryAgent: 1 option is wrong\n.*domains/,
    );
    expect(() => discoveryAgent({} as DiscoveryService)).toThrow(
      /discoveryAgent: this is no DiscoveryService/,
    );
  });
});
