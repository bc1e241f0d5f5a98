import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CheckServer } from './check-server.js';

describe('CheckServer', () => {
  let app: Server;
  let checks: CheckServer;
  let seen: boolean[];

  beforeEach(async () => {
    seen = [];
    app = createServer((request, response) => {
      seen.push(checks.has(request));
      response.end('of the app');
    });
    const isCheck = ({ url }: { url?: string | undefined }): boolean => url === '/health';
    checks = await CheckServer.listen(app, { host: '127.0.0.1', port: 0, isCheck });
  });
  afterEach(() => checks.close());

  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${checks.port}${path}`);

  it('has the health endpoints of the app, and nothing else', async () => {
    expect(await (await get('/health')).text()).toBe('of the app');
    expect(seen).toEqual([true]);
    const other = await get('/orders');
    expect([other.status, await other.text()]).toEqual([404, '']);
    expect(seen).toHaveLength(1);
    expect(checks.has({})).toBe(false);
  });

  it('fails where its port is taken, and closes all connections', async () => {
    const { port } = checks;
    await expect(
      CheckServer.listen(app, { host: '127.0.0.1', port, isCheck: () => true }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await (await get('/health')).text();
    checks.close();
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    const again = await CheckServer.listen(app, { host: '127.0.0.1', port, isCheck: () => true });
    again.close();
  });
});
