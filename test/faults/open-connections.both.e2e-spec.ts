import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, RegistrationService } from '@rookery/consul';
import { eventually, figure, RecordingLogger, startTestConsul, type TestConsul } from '@rookery/test-support';
import { createApp, PLATFORMS, rootModule, startApp } from '../e2e/test-app.js';

describe('connections that outlive the shutdown', () => {
  let consul: TestConsul;
  const sockets: Socket[] = [];
  const open = async (port: number, bytes = ''): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(bytes);
    return socket;
  };
  const options = () => ({
    agent: { url: consul.url },
    service: { name: 'closing' },
    shutdown: { drainTimeout: '1s', inFlightTimeout: '1s', timeout: '3s' },
  });
  const timed = async (what: string, close: () => Promise<void>): Promise<number> => {
    const begun = performance.now();
    await close();
    const took = performance.now() - begun;
    figure('F50', `${what}: closed after ${Math.round(took)} ms`);
    return took;
  };

  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it.each(PLATFORMS)('F50 on %s: no request, half of one, and half of a body', async (platform) => {
    const { app, port } = await startApp(rootModule([ConsulModule.forRoot(options())]), { platform });
    await app.get(RegistrationService).whenRegistered();
    await open(port);
    await open(port, 'GET /half HTTP/1.1\r\nhost: x\r\n');
    await open(port, 'POST /half HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf');
    // Without a limit the app would wait for its clients.
    expect(await timed(`${platform}, three connections without an end`, () => app.close())).toBeLessThan(
      15_000,
    );
  });

  it('F50 an app that has not registered yet: half of a request, and one that takes a while', async () => {
    const service = { name: 'closing', register: 'manual' } as const;
    const module = rootModule([ConsulModule.forRoot({ ...options(), service })]);
    const { app } = await createApp(module);
    let hasArrived = false;
    app.getHttpAdapter().get('/slow', (_: unknown, response: ServerResponse) => {
      hasArrived = true;
      setTimeout(() => response.end('answered'), 300);
    });
    await app.listen(0);
    const { port } = (app.getHttpServer() as Server).address() as { port: number };
    await open(port, 'GET /half HTTP/1.1\r\nhost: x\r\n');
    const slow = fetch(`http://127.0.0.1:${port}/slow`);
    await eventually(() => hasArrived);
    expect(await timed('not registered', () => app.close())).toBeLessThan(15_000);
    expect(await (await slow).text()).toBe('answered');
  });

  it('F50 a WebSocket that its gateway does not close is closed after the budget, with a log line', async () => {
    const { app, port, logger } = await startApp(rootModule([ConsulModule.forRoot(options())]));
    const upgraded = new Promise<void>((resolve) => {
      (app.getHttpServer() as Server).on('upgrade', (_, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
        resolve();
      });
    });
    await app.get(RegistrationService).whenRegistered();
    await open(port, 'GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await upgraded;
    expect(await timed('a WebSocket', () => app.close())).toBeLessThan(15_000);
    expect(logger.matching(/connections still open: 1; closing them in at most \d+ ms/)).toHaveLength(1);
  });

  it('F50 HTTP/2 on Fastify: an idle session, and a request without an end', async () => {
    const logger = new RecordingLogger();
    const adapter = new FastifyAdapter({ http2: true } as never);
    const app = await NestFactory.create(rootModule([ConsulModule.forRoot(options())]), adapter, {
      logger,
      abortOnError: false,
    });
    adapter.get('/never', () => new Promise(() => undefined));
    await app.listen(0);
    const { port } = (app.getHttpServer() as Server).address() as { port: number };
    const sessions = [1, 2].map(() => connectHttp2(`http://127.0.0.1:${port}`));
    for (const session of sessions) {
      session.on('error', () => undefined);
      await once(session, 'connect');
    }
    const stream = sessions[0]?.request({ ':path': '/never' });
    stream?.on('error', () => undefined);
    stream?.end();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await timed('HTTP/2', () => app.close())).toBeLessThan(15_000);
    for (const session of sessions) session.destroy();
  });
});
