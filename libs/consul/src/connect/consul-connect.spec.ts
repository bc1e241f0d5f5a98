import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import { createServer as createPlain, type IncomingMessage } from 'node:http';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ConnectAuthority,
  eventually,
  FakeClock,
  RecordingLogger,
  settle,
  type Leaf,
} from '@rookery/test-support';
import type { ServiceInstance } from '@rookery/discovery';
import type { ConnectIntention, ConnectLeaf, ConnectRoots } from '../client/api/types.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulConnect, type ConsulConnectOptions } from './consul-connect.js';

const DOMAIN = 'abcd.consul';
const YEAR = 365 * 86_400_000;

const intention = (source: string, action: 'allow' | 'deny'): ConnectIntention => ({
  ...{ SourceName: source, DestinationName: 'web', SourceType: 'consul', Action: action },
  ...{ SourceNS: 'default', DestinationNS: 'default', Precedence: 9 },
});

/** What Consul has: each change answers the queries that wait. */
class FakeMesh {
  roots: ConnectRoots | Error;
  leaf: ConnectLeaf | Error;
  intentions: ConnectIntention[] = [];
  allowsByDefault = false;
  asked: unknown[] = [];
  #index = 1;
  readonly #waiting = new Set<() => void>();
  readonly client: ConsulClient;

  constructor(roots: ConnectRoots, leaf: ConnectLeaf) {
    this.roots = roots;
    this.leaf = leaf;
    const read = async (
      of: () => unknown,
      options: { index?: string; signal?: AbortSignal },
    ): Promise<unknown> => {
      if (options.index === String(this.#index))
        await new Promise<void>((resolve, reject) => {
          this.#waiting.add(resolve);
          options.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error), {
            once: true,
          });
        });
      const body = of();
      if (body instanceof Error) throw body;
      return { body, index: String(this.#index) };
    };
    this.client = {
      ...{ disconnects: 0, scope: [null], blockingQueryLimit: 10, waitWithin: (ms: number) => ms },
      connect: {
        roots: (options: object) => read(() => this.roots, options),
        leaf: (service: string, options: object) => {
          this.asked.push(service);
          return read(() => this.leaf, options);
        },
        intentions: (options: object) => read(() => [], options),
        intentionsFor: async () => this.intentions,
        authorize: async () => ({ Authorized: this.allowsByDefault, Reason: 'Default behavior' }),
      },
    } as unknown as ConsulClient;
  }

  change(update: () => void): void {
    update();
    this.#index++;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

describe('ConsulConnect', () => {
  let authority: ConnectAuthority;
  let own: Leaf;
  let caller: Leaf;
  let stranger: Leaf;
  let clock: FakeClock;
  let today: number;
  let mesh: FakeMesh;
  let connect: ConsulConnect;
  let logger: RecordingLogger;
  const open: { close(): unknown }[] = [];

  beforeAll(async () => {
    authority = await ConnectAuthority.create();
    own = await authority.leaf(DOMAIN, 'web');
    caller = await authority.leaf(DOMAIN, 'shop');
    stranger = await authority.leaf('other.consul', 'shop');
  });
  const rootsOf = (...certificates: string[]): ConnectRoots => ({
    ...{ ActiveRootID: '1', TrustDomain: DOMAIN },
    Roots: certificates.map((RootCert, n) => ({ ID: String(n), Active: n === 0, RootCert })),
  });
  const leafOf = ({ cert, key }: Leaf): ConnectLeaf => ({
    ...{ SerialNumber: '01', CertPEM: cert, PrivateKeyPEM: key },
    ServiceURI: `spiffe://${DOMAIN}/ns/default/dc/dc1/svc/web`,
    ValidAfter: new Date(Date.now() - YEAR).toISOString(),
    ValidBefore: new Date(Date.now() + YEAR).toISOString(),
  });
  beforeEach(() => {
    clock = new FakeClock();
    today = Date.now();
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    mesh = new FakeMesh(rootsOf(authority.cert), leafOf(own));
  });
  afterEach(async () => {
    connect.close();
    for (const each of open.splice(0)) each.close();
    await settle();
    expect(clock.pending).toBe(0);
    Logger.overrideLogger(new ConsoleLogger());
  });

  const create = (options: Partial<ConsulConnectOptions> = {}): ConsulConnect =>
    (connect = new ConsulConnect(
      mesh.client,
      { service: 'web', checks: 'port', checkPort: 0, healthPath: '/health', ...options },
      clock,
      () => today,
    ));
  const start = async (options?: Partial<ConsulConnectOptions>): Promise<ConsulConnect> => {
    create(options).start();
    await connect.ready;
    return connect;
  };
  const change = async (update: () => void): Promise<void> => {
    mesh.change(update);
    // Watches ask no more often than they may.
    await clock.advance(5_000);
  };
  const instance = (changes: Partial<ServiceInstance> = {}): ServiceInstance =>
    ({ service: 'shop', datacenter: 'dc1', inMesh: true, ...changes }) as ServiceInstance;
  const certificateOf = (
    service: string,
    domain = DOMAIN,
    datacenter = 'dc1',
    scope = '/ns/default',
  ): PeerCertificate =>
    ({
      subjectaltname: `URI:spiffe://${domain}${scope}/dc/${datacenter}/svc/${service}`,
      valid_to: new Date(Date.now() + YEAR).toUTCString(),
    }) as PeerCertificate;

  it('is ready when it has a certificate and the intentions of its service', async () => {
    create();
    expect(connect.isReady).toBe(false);
    expect(connect.explain()).toEqual({
      ...{ uri: undefined, trustDomain: undefined, validUntil: undefined, intentions: undefined },
      allowsByDefault: undefined,
    });
    mesh.intentions = [intention('shop', 'allow')];
    connect.start();
    await connect.ready;
    expect(connect.isReady).toBe(true);
    expect(connect.explain()).toEqual({
      uri: `spiffe://${DOMAIN}/ns/default/dc/dc1/svc/web`,
      trustDomain: DOMAIN,
      validUntil: expect.stringMatching(/^\d{4}-.*Z$/),
      intentions: [{ from: 'shop', to: 'web', action: 'allow' }],
      allowsByDefault: false,
    });
    expect(mesh.asked[0]).toBe('web');
    today += 2 * YEAR;
    expect(connect.isReady).toBe(false);
  });

  it('decides by the intentions, as they change', async () => {
    mesh.intentions = [intention('shop', 'allow')];
    await start();
    expect(connect.denied(certificateOf('shop'))).toBeUndefined();
    expect(connect.denied(certificateOf('cart'))).toMatch(/^"cart" may not call: /);
    await change(() => (mesh.intentions = [intention('shop', 'deny')]));
    expect(connect.denied(certificateOf('shop'))).toMatch(/^"shop" may not call: /);
    expect(connect.denied(certificateOf('shop', 'other.consul'))).toMatch(/another trust domain/);
    expect(connect.denied(undefined)).toMatch(/no certificate that is accepted/);
    today += 2 * YEAR;
    expect(connect.denied(certificateOf('shop'))).toMatch(/expired/);
  });

  it('allows by default what Consul allows', async () => {
    mesh.allowsByDefault = true;
    await start();
    expect(connect.denied(certificateOf('cart'))).toBeUndefined();
  });

  it('denies all until it knows the intentions', () => {
    create();
    connect.identity.setRoots(rootsOf(authority.cert));
    expect(connect.denied(certificateOf('shop'))).toMatch(/not known yet/);
  });

  it('writes of a denial once a minute for each caller and reason', async () => {
    await start();
    const lines = (): number => logger.matching(/was denied access to "web"/).length;
    for (let n = 0; n < 3; n++) connect.denied(certificateOf('shop'));
    expect(logger.lines).toEqual([expect.stringMatching(/warn "shop" was denied access to "web": /)]);
    connect.denied(certificateOf('cart'));
    connect.denied(undefined);
    connect.denied(undefined);
    expect(lines()).toBe(3);
    expect(logger.lines.at(-1)).toMatch(/warn a caller was denied/);
    await clock.advance(59_999);
    connect.denied(certificateOf('shop'));
    expect(lines()).toBe(3);
    await clock.advance(1);
    connect.denied(certificateOf('shop'));
    expect(lines()).toBe(4);
    for (let n = 0; n < 1_200; n++) connect.denied(certificateOf(`other-${n}`));
    connect.denied(certificateOf('shop'));
    expect(lines()).toBe(4 + 1_200 + 1);
  });

  it('begins anew with the intentions when the trust domain changes, and keeps what it has over a bad answer', async () => {
    mesh.intentions = [intention('shop', 'allow')];
    await start();
    await change(() => (mesh.roots = { ...rootsOf(authority.cert), TrustDomain: '' }));
    expect(logger.matching(/error .*no trust domain.*; what was there before stays in use/)).toHaveLength(1);
    expect(connect.isReady).toBe(true);
    await change(() => (mesh.roots = { ...rootsOf(authority.cert), TrustDomain: 'NEW.consul' }));
    await eventually(() => connect.isReady);
    expect(connect.denied(certificateOf('shop', 'new.consul'))).toBeUndefined();
    expect(connect.denied(certificateOf('shop'))).toMatch(/another trust domain/);
  });

  it('has the certificate of this app for those that are in the mesh, and says of which service theirs has to be', async () => {
    await start();
    expect(connect.tlsFor(instance({ inMesh: false }))).toBeUndefined();
    const settings = connect.tlsFor(instance());
    expect(settings).toMatchObject({ certificates: connect.identity, serverName: undefined, verify: true });
    expect(connect.tlsFor(instance())).toBe(settings);
    expect(connect.tlsFor(instance({ datacenter: 'dc2' }))).not.toBe(settings);
    const mismatch = (certificate: PeerCertificate): unknown => {
      const error = settings?.mismatch?.(certificate);
      return error && [error.message, (error as NodeJS.ErrnoException).code];
    };
    expect(mismatch(certificateOf('shop'))).toBeUndefined();
    const wanted = `"shop" in "dc1" of ${DOMAIN}`;
    expect(mismatch(certificateOf('cart'))).toEqual([
      `the certificate is that of "cart" in "dc1" of ${DOMAIN}, not of ${wanted}`,
      'CERT_IDENTITY_MISMATCH',
    ]);
    expect(mismatch(certificateOf('shop', 'other.consul'))).toEqual([
      expect.stringContaining('of other.consul, not of'),
      'CERT_IDENTITY_MISMATCH',
    ]);
    expect(mismatch(certificateOf('shop', DOMAIN, 'dc2'))).toEqual([
      expect.stringContaining('in "dc2"'),
      'CERT_IDENTITY_MISMATCH',
    ]);
    expect(mismatch(certificateOf('shop', DOMAIN, 'dc1', '/ap/team/ns/sandbox'))).toEqual([
      expect.stringContaining('"shop" in "dc1", namespace "sandbox", partition "team" of'),
      'CERT_IDENTITY_MISMATCH',
    ]);
    expect(mismatch({ subjectaltname: 'DNS:shop' } as PeerCertificate)).toEqual([
      expect.stringContaining('that of no service'),
      'CERT_IDENTITY_MISMATCH',
    ]);
  });

  describe('that guards a server', () => {
    interface Answer {
      readonly status: number;
      readonly body: string;
      readonly connection: string | undefined;
    }
    let handled: string[];
    let server: Server;

    beforeEach(() => {
      handled = [];
      server = createServer({ requestCert: true, rejectUnauthorized: false }, (incoming, response) => {
        handled.push(`${incoming.method} ${incoming.url}`);
        response.end('answered');
      });
      server.on('checkContinue', (incoming, response) => {
        handled.push(`continue ${incoming.url}`);
        response.writeContinue();
        response.end('answered');
      });
      server.on('upgrade', (incoming, socket) => {
        handled.push(`upgrade ${incoming.url}`);
        socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      });
      server.on('tlsClientError', () => undefined);
      open.push({
        close: () => {
          server.closeAllConnections();
          server.close();
        },
      });
    });

    const listen = async (): Promise<number> => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    };
    const ask = (
      port: number,
      leaf: Leaf | undefined,
      { path = '/', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
    ): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const outgoing = request(
          {
            ...{ host: '127.0.0.1', port, path, headers, ca: authority.cert, agent: false },
            ...(leaf && { cert: leaf.cert, key: leaf.key }),
            checkServerIdentity: () => undefined,
          },
          (response) => {
            let body = '';
            response.on('data', (chunk: Buffer) => (body += chunk.toString()));
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, body, connection: response.headers.connection }),
            );
          },
        );
        outgoing.on('error', reject).end();
      });

    it('lets callers in that may call, and no others', async () => {
      mesh.intentions = [intention('shop', 'allow')];
      await start();
      connect.guard(server);
      const port = await listen();
      expect(await ask(port, caller)).toMatchObject({ status: 200, body: 'answered' });
      await change(() => (mesh.intentions = [intention('shop', 'deny')]));
      const denied = await ask(port, caller);
      expect(denied.status).toBe(403);
      expect(JSON.parse(denied.body)).toEqual({
        ...{ statusCode: 403, message: expect.stringMatching(/^"shop" may not call: /) },
      });
      expect(await ask(port, stranger)).toMatchObject({ status: 403 });
      await expect(ask(port, undefined)).rejects.toThrow();
      expect(handled).toEqual(['GET /']);
      expect(logger.matching(/was denied access/).length).toBeGreaterThanOrEqual(3);
      expect(logger.matching(/a caller was denied access.*it has shown no certificate/)).toHaveLength(1);
    });

    it('keeps out also what asks to continue, or for another protocol', async () => {
      await start();
      connect.guard(server);
      const port = await listen();
      expect(await ask(port, caller, { headers: { expect: '100-continue' } })).toMatchObject({ status: 403 });
      expect(await ask(port, caller, { headers: { connection: 'upgrade', upgrade: 'x' } })).toMatchObject({
        ...{ status: 403, body: '', connection: 'close' },
      });
      expect(handled).toEqual([]);
      await change(() => (mesh.intentions = [intention('shop', 'allow')]));
      expect(await ask(port, caller, { headers: { expect: '100-continue' } })).toMatchObject({ status: 200 });
      expect(handled).toEqual(['continue /']);
    });

    it('survives one that asks for another protocol, and resets its connection', async () => {
      await start();
      connect.guard(server);
      const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
      const reset = Object.assign(socket, { destroySoon: () => socket.destroy(new Error('ECONNRESET')) });
      server.emit('upgrade', { socket: {} }, reset, Buffer.alloc(0));
      await eventually(() => socket.closed);
      expect(logger.matching(/was denied access/)).toHaveLength(1);
    });

    it('does without an answer to a stream of HTTP/2 that has ended', async () => {
      await start();
      connect.guard(server);
      const ended = {
        destroyed: true,
        respond: () => {
          throw new Error('ERR_HTTP2_INVALID_STREAM');
        },
      };
      expect(server.emit('stream', ended, { ':method': 'GET', ':path': '/' })).toBe(true);
      expect(handled).toEqual([]);
    });

    it('answers the checks of the agent on a port of their own, and there nothing else', async () => {
      await start();
      expect(await connect.checkPort('127.0.0.1')).toBeUndefined();
      connect.guard(server);
      await listen();
      const port = await connect.checkPort('127.0.0.1');
      expect(await connect.checkPort('127.0.0.1')).toBe(port);
      const plain = async (path: string): Promise<string> => {
        const response = await fetch(`http://127.0.0.1:${String(port)}${path}`);
        return `${response.status} ${await response.text()}`;
      };
      expect(await plain('/health')).toBe('200 answered');
      expect(await plain('/health/ready')).toBe('200 answered');
      expect(await plain('/')).toBe('404 ');
      expect(handled).toEqual(['GET /health', 'GET /health/ready']);
      connect.close();
      await expect(fetch(`http://127.0.0.1:${String(port)}/health`)).rejects.toThrow();
    });

    it('answers the checks at the path, without a certificate, where it is told to', async () => {
      await start({ checks: 'path' });
      connect.guard(server);
      const port = await listen();
      expect(await connect.checkPort('127.0.0.1')).toBeUndefined();
      expect(await ask(port, undefined, { path: '/health' })).toMatchObject({ status: 200 });
      expect(await ask(port, undefined, { path: '/other' })).toMatchObject({ status: 403 });
      expect(await ask(port, caller, { path: '/health' })).toMatchObject({ status: 200 });
      expect(handled).toEqual(['GET /health', 'GET /health']);
    });

    it('shows a new certificate to connections that follow, and ends earlier ones with their next request', async () => {
      mesh.intentions = [intention('shop', 'allow')];
      await start();
      connect.guard(server);
      const port = await listen();
      // Of the agent: Node 22 and later keep no connection that a request judges by a function of its own.
      const agent = new Agent({ keepAlive: true, maxSockets: 1, checkServerIdentity: () => undefined });
      open.push({ close: () => agent.destroy() });
      const askKept = async (): Promise<{ connection: string | undefined; serial: string }> => {
        const outgoing = request({
          ...{ host: '127.0.0.1', port, ca: authority.cert, agent, cert: caller.cert, key: caller.key },
        }).end();
        const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
        const { serialNumber: serial } = (response.socket as TLSSocket).getPeerCertificate();
        response.resume();
        await once(response, 'end');
        return { connection: response.headers.connection, serial };
      };
      const renewed = await authority.leaf(DOMAIN, 'web');
      const before = await askKept();
      expect((await askKept()).connection).toBe('keep-alive');
      await change(() => (mesh.leaf = leafOf(renewed)));
      expect(await askKept()).toEqual({ connection: 'close', serial: before.serial });
      const after = await askKept();
      expect(after.connection).toBe('keep-alive');
      expect(after.serial).not.toBe(before.serial);
      connect.close();
      const last = await authority.leaf(DOMAIN, 'web');
      connect.identity.setLeaf(leafOf(last));
      expect((await askKept()).serial).toBe(after.serial);
    });

    it('refuses a server that does not speak TLS, or has a certificate of its own', async () => {
      create();
      for (const other of [createPlain(), createServer({ cert: own.cert, key: own.key })])
        expect(() => connect.guard(other as Server)).toThrow(
          expect.objectContaining({
            code: 'RK_CONFIG_INVALID',
            message: expect.stringContaining('does not speak TLS, or has a certificate of its own'),
            hint: expect.stringContaining('connectHttpsOptions()'),
          }),
        );
    });

    it('guards HTTP/2 as well', async () => {
      mesh.intentions = [intention('shop', 'allow')];
      await start({ checks: 'path' });
      const http2 = createSecureServer({ requestCert: true, rejectUnauthorized: false, allowHTTP1: true });
      http2.on('stream', (stream, headers) => {
        handled.push(String(headers[':path']));
        stream.respond({ ':status': 200 });
        stream.end('answered');
      });
      connect.guard(http2 as unknown as Server);
      http2.listen(0, '127.0.0.1');
      await once(http2, 'listening');
      const { port } = http2.address() as AddressInfo;
      open.push({ close: () => http2.close() });
      const askHttp2 = async (leaf: Leaf | undefined, path: string): Promise<[number, string]> => {
        const session = connectHttp2(`https://127.0.0.1:${port}`, {
          ...{ ca: authority.cert, checkServerIdentity: () => undefined },
          ...(leaf && { cert: leaf.cert, key: leaf.key }),
        });
        const stream = session.request({ ':path': path });
        const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
        let body = '';
        stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
        await once(stream, 'end');
        session.close();
        return [Number(headers[':status']), body];
      };
      expect(await askHttp2(caller, '/books')).toEqual([200, 'answered']);
      const [status, body] = await askHttp2(stranger, '/books');
      expect([status, JSON.parse(body)]).toEqual([403, { statusCode: 403, message: expect.any(String) }]);
      expect(await askHttp2(undefined, '/health')).toEqual([200, 'answered']);
      expect((await askHttp2(undefined, '/books'))[0]).toBe(403);
      expect(handled).toEqual(['/books', '/health']);
    });
  });
});
