import { afterEach, describe, expect, it } from '@jest/globals';
import { EtcdClient, type EtcdClientOptions, EtcdModule, RegistrationService } from '@rookery/etcd';
import {
  CertificateFolder,
  EtcdServer,
  type EtcdServerOptions,
  eventually,
  TcpProxy,
  TestCertificates,
  thrownBy,
} from '@rookery/test-support';
import { rootModule, startApp } from './test-app.js';

describe('EtcdClient and security', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });
  const connect = (server: EtcdServer, options: EtcdClientOptions = {}): EtcdClient => {
    const client = EtcdClient.create({ endpoints: server.url, ...options }, {});
    cleanUps.push(() => client.close());
    return client;
  };

  describe('with users', () => {
    const root = { user: 'root:rootpass' };
    /** A user who may write below /rookery/services/app/ and read nothing else. */
    const startServer = async (options: EtcdServerOptions = {}): Promise<EtcdServer> => {
      const server = await EtcdServer.start(options);
      cleanUps.push(() => server.stop());
      const prefix = '/rookery/services/app/';
      for (const args of [
        ['user', 'add', 'root:rootpass'],
        ['user', 'grant-role', 'root', 'root'],
        ['user', 'add', 'app:geheim'],
        ['role', 'add', 'app'],
        ['role', 'grant-permission', 'app', '--prefix=true', 'readwrite', prefix],
        ['user', 'grant-role', 'app', 'app'],
        ['auth', 'enable'],
      ])
        await server.ctl(args);
      return server;
    };
    const auth = { username: 'app', password: 'geheim' };

    it('reads, writes and watches what the user may, and names what it may not', async () => {
      const server = await startServer();
      const client = connect(server, { auth });
      const { kv } = client;
      const key = '/rookery/services/app/1';
      const revision = await kv.put(key, 'x');
      expect((await kv.get(key))?.value.toString()).toBe('x');
      expect(String(await thrownBy(() => kv.get('/other')))).toMatch(/permission denied.*see auth/);
      expect(await thrownBy(() => kv.get('/other'))).toMatchObject({ code: 'RK_ACL_DENIED' });
      const watched = async (prefix: string): Promise<unknown> => {
        for await (const batch of client.watch({ prefix }, revision, AbortSignal.timeout(10_000)))
          return batch.events;
        return undefined;
      };
      expect(await watched('/rookery/services/app/')).toMatchObject([{ type: 'put', key }]);
      expect(await thrownBy(() => watched('/other/'))).toMatchObject({ code: 'RK_ACL_DENIED' });
    });

    it.each([
      ['a wrong password', { username: 'app', password: 'wrong' }],
      ['an unknown user', { username: 'nobody', password: 'geheim' }],
      ['no user', undefined],
    ])('%s is one clear error, without the password', async (_, wrong) => {
      const server = await startServer();
      const { kv } = connect(server, wrong ? { auth: wrong } : {});
      const error = await thrownBy(() => kv.get('/rookery/services/app/1'));
      expect(error).toMatchObject({ code: 'RK_ACL_DENIED' });
      expect(String(error)).toMatch(/The user is missing, unknown, or lacks the permission: see auth/);
      expect(String(error)).not.toMatch(/geheim|wrong/);
    });

    it('an app with a wrong password starts in the background, and registers once the user is right', async () => {
      const server = await startServer();
      const options = { endpoints: server.url, auth: { username: 'late', password: 'geheim' } };
      const service = { name: 'app' };
      const { app, logger } = await startApp(rootModule([EtcdModule.forRoot({ ...options, service })]));
      cleanUps.push(() => app.close());
      await eventually(() => logger.lines.some((line) => line.includes('see auth, or ETCDCTL_USER')));
      await server.ctl(['user', 'add', 'late:geheim'], root);
      await server.ctl(['user', 'grant-role', 'late', 'app'], root);
      await eventually(() => app.get(RegistrationService).status.state === 'registered', { within: 60_000 });
      expect(logger.lines.join('\n')).not.toContain('geheim');
    }, 90_000);

    it('goes on with a new token when etcd has forgotten the old one, and without one where users are off', async () => {
      const server = await startServer();
      const { kv } = connect(server, { auth });
      await kv.put('/rookery/services/app/1', 'x');
      // Simple tokens are in the memory of the server.
      await server.kill();
      server.launch();
      await eventually(async () => (await kv.get('/rookery/services/app/1'))?.value.toString() === 'x');
      await server.ctl(['auth', 'disable'], root);
      expect((await kv.get('/rookery/services/app/1'))?.value.toString()).toBe('x');
    });

    it('asks for one new token, however many requests the old one was refused for', async () => {
      const server = await startServer({ signedTokens: true });
      const { kv } = connect(server, { auth });
      const logins = async (): Promise<number> => {
        const metrics = await (await fetch(`${server.url}/metrics`)).text();
        const handled = /^grpc_server_started_total{grpc_method="Authenticate".* (\d+)$/m.exec(metrics);
        return Number(handled?.[1]);
      };
      const read = () => kv.get('/rookery/services/app/1');
      await read();
      await server.ctl(['user', 'add', 'another:geheim'], root);
      const before = await logins();
      expect(before).toBeGreaterThan(0);
      await Promise.all(Array.from({ length: 30 }, read));
      expect((await logins()) - before).toBe(1);
    });

    it('goes on when a change of users ends its signed token: reads, and a watch beside one that has the old token', async () => {
      const server = await startServer({ signedTokens: true });
      const client = connect(server, { auth });
      const key = '/rookery/services/app/1';
      const revision = await client.kv.put(key, 'x');
      const signal = AbortSignal.timeout(20_000);
      const firstOf = async (after: bigint): Promise<string | undefined> => {
        for await (const { events } of client.watch({ prefix: '/rookery/services/app/' }, after, signal))
          for (const event of events) if (event.type === 'put') return event.value.toString();
        return undefined;
      };
      const early = firstOf(revision + 1n);
      await server.ctl(['user', 'add', 'another:geheim'], root);
      expect((await client.kv.get(key))?.value.toString()).toBe('x');
      // A watch that is refused ends with an error, and is begun again, as the registry does.
      const late = eventually(() => firstOf(revision).catch(() => undefined));
      expect(await late).toBe('x');
      await client.kv.put(key, 'y');
      expect(await early.catch(() => 'ended, to begin again')).toMatch(/^(y|ended, to begin again)$/);
      expect(await eventually(() => firstOf(revision + 1n).catch(() => undefined))).toBe('y');
    });
  });

  describe('with TLS', () => {
    const startServer = async ({ client = false } = {}): Promise<{
      server: EtcdServer;
      certificates: TestCertificates;
    }> => {
      const certificates = await TestCertificates.create('etcd.internal');
      cleanUps.push(() => certificates.remove());
      const file = certificates.file.bind(certificates);
      const own = { certFile: file('server'), keyFile: file('server-key'), caFile: file('ca') };
      const clients = { certFile: file('client'), keyFile: file('client-key') };
      const server = await EtcdServer.start({ tls: { ...own, ...(client ? { client: clients } : {}) } });
      cleanUps.push(() => server.stop());
      return { server, certificates };
    };

    it('verifies the member by its authority and its name', async () => {
      const { server, certificates } = await startServer();
      const caFile = certificates.file('ca');
      const { kv } = connect(server, { tls: { caFile } });
      await kv.put('a', 'x');
      expect((await kv.get('a'))?.value.toString()).toBe('x');
      const named = connect(server, { tls: { caFile, serverName: 'etcd.internal' } });
      expect((await named.kv.get('a'))?.value.toString()).toBe('x');
    });

    it('has a client certificate where the member wants one, and names the option where it has none', async () => {
      const { server, certificates } = await startServer({ client: true });
      const caFile = certificates.file('ca');
      const pair = { certFile: certificates.file('client'), keyFile: certificates.file('client-key') };
      const { kv } = connect(server, { tls: { caFile, ...pair } });
      expect(await kv.get('a')).toBeUndefined();
      const without = connect(server, { tls: { caFile } });
      expect(String(await thrownBy(() => without.kv.get('a')))).toMatch(/Set tls\.certFile and tls\.keyFile/);
    });

    describe('whose files are renewed', () => {
      const NAMES = ['ca', 'server', 'server-key', 'client', 'client-key'] as const;
      const renewable = async (): Promise<{
        before: TestCertificates;
        folder: CertificateFolder;
        own: { caFile: string; certFile: string; keyFile: string };
        renew: () => Promise<void>;
      }> => {
        const before = await TestCertificates.create('etcd.internal');
        const folder = new CertificateFolder(before, ...NAMES);
        cleanUps.push(
          () => before.remove(),
          () => folder.remove(),
        );
        return {
          before,
          folder,
          own: {
            caFile: folder.file('ca'),
            certFile: folder.file('server'),
            keyFile: folder.file('server-key'),
          },
          renew: async () => {
            const after = await TestCertificates.create('etcd.internal');
            folder.take(after, ...NAMES);
            after.remove();
          },
        };
      };

      it('goes on with a member that has those of another authority, without a restart', async () => {
        const { before, folder, own, renew } = await renewable();
        const pair = { certFile: folder.file('client'), keyFile: folder.file('client-key') };
        const server = await EtcdServer.start({ tls: { ...own, client: pair } });
        cleanUps.push(() => server.stop());
        const { kv } = connect(server, { tls: { caFile: own.caFile, ...pair } });
        const stale = connect(server, { tls: { caFile: before.file('ca'), ...pair } });
        await kv.put('a', 'x');
        await stale.kv.get('a');
        await server.kill();
        await renew();
        await server.relaunch();
        expect(await eventually(() => kv.get('a').then((found) => found?.value.toString()))).toBe('x');
        // One whose authority was not renewed is refused: a renewal does not mean that any authority is trusted.
        expect(String(await thrownBy(() => stale.kv.get('a')))).toMatch(/not trusted here/);
      });

      it('leaves a watch on the connection that it has, which ends with it', async () => {
        const { own, renew } = await renewable();
        const server = await EtcdServer.start({ tls: own });
        cleanUps.push(() => server.stop());
        const proxy = await TcpProxy.start(server.port);
        cleanUps.push(() => proxy.stop());
        const client = connect(server, {
          endpoints: `https://127.0.0.1:${proxy.port}`,
          tls: { caFile: own.caFile },
        });
        const revision = await client.kv.put('a', 'x');
        const watching = new AbortController();
        const seen: string[] = [];
        const watch = (async () => {
          for await (const { events } of client.watch('a', revision, watching.signal))
            for (const event of events) if (event.type === 'put') seen.push(event.value.toString());
        })();
        await eventually(() => seen.length === 1);
        expect(proxy.connections).toBe(1);
        await renew();
        await eventually(async () => {
          await client.kv.get('a');
          return proxy.connections === 2;
        });
        await client.kv.put('a', 'y');
        await eventually(() => seen.includes('y'));
        watching.abort(new Error('enough'));
        await expect(watch).rejects.toThrow('enough');
        expect(await eventually(() => proxy.connections === 1)).toBe(true);
        expect((await client.kv.get('a'))?.value.toString()).toBe('y');
      });

      it('answers a request that waits for its connection meanwhile', async () => {
        const { before, folder, own } = await renewable();
        const server = await EtcdServer.start({ tls: own });
        cleanUps.push(() => server.stop());
        const proxy = await TcpProxy.start(server.port);
        cleanUps.push(() => proxy.stop());
        proxy.hold();
        const { kv } = connect(server, {
          endpoints: `https://127.0.0.1:${proxy.port}`,
          tls: { caFile: own.caFile },
          timeout: '15s',
        });
        const answers = [kv.get('a')];
        await eventually(() => proxy.held === 1);
        folder.take(before, 'ca');
        await eventually(() => {
          answers.push(kv.get('a'));
          return proxy.held === 2;
        });
        proxy.release();
        expect(new Set(await Promise.all(answers))).toEqual(new Set([undefined]));
      });
    });

    it.each([
      ['an unknown authority', {}, /not trusted here: set tls\.caFile or ETCDCTL_CACERT/],
      [
        'another name',
        { serverName: 'other.internal', ca: true },
        /is for another name: set tls\.serverName/,
      ],
    ] as const)(
      'names the option for %s',
      async (_, { ca, ...tls }: { ca?: boolean; serverName?: string }, hint) => {
        const { server, certificates } = await startServer();
        const { kv } = connect(server, {
          tls: { ...tls, ...(ca ? { caFile: certificates.file('ca') } : {}) },
        });
        const error = await thrownBy(() => kv.get('a'));
        expect(error).toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
        expect(String(error)).toMatch(hint);
      },
    );

    it('says that a certificate has expired', async () => {
      const certificates = await TestCertificates.createExpired('etcd.internal');
      cleanUps.push(() => certificates.remove());
      const file = certificates.file.bind(certificates);
      const tls = { certFile: file('server'), keyFile: file('server-key'), caFile: file('ca') };
      const server = await EtcdServer.startUnchecked({ tls });
      cleanUps.push(() => server.stop());
      const { kv } = connect(server, { tls: { caFile: file('ca') } });
      const error = await eventually(async () => {
        const thrown = String(await thrownBy(() => kv.get('a')));
        return thrown.includes('ECONNREFUSED') ? undefined : thrown;
      });
      expect(error).toMatch(/certificate has expired.*renew it, or set the clock/);
    });

    it.each([
      ['https to a member without TLS', false],
      ['http to a member with TLS', true],
    ])('names the scheme for %s', async (_, isSecure) => {
      const server = isSecure ? (await startServer()).server : await EtcdServer.start();
      if (!isSecure) cleanUps.push(() => server.stop());
      const { kv } = connect(server, { endpoints: `${isSecure ? 'http' : 'https'}://${server.target}` });
      const error = String(await thrownBy(() => kv.get('a')));
      expect(error).toMatch(isSecure ? /https:\/\/ in endpoints/ : /use http:\/\/ in endpoints/);
    });
  });
});
