import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RecordingLogger, TestCertificates } from '@rookery/test-support';
import { LoginTokenSource } from './login-token.js';
import { resolveAgent, type AgentOptions } from './agent-options.js';

describe('resolveAgent', () => {
  let folder: string;
  let certificates: TestCertificates;
  beforeAll(async () => {
    certificates = await TestCertificates.create('consul');
    folder = mkdtempSync(join(tmpdir(), 'rookery-agent-'));
    writeFileSync(join(folder, 'token'), ' from-file \n');
    writeFileSync(join(folder, 'ca.pem'), 'CA');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
    certificates.remove();
  });
  const problems = (options: AgentOptions, environment: NodeJS.ProcessEnv = {}): string[] =>
    resolveAgent(options, environment).issues.map(
      ({ field, value, hint }) => `${field} = ${value ?? ''}: ${hint}`,
    );

  it('works without any option', async () => {
    const { agent } = resolveAgent({}, {});
    expect(agent).toMatchObject({ address: { origin: 'http://127.0.0.1:8500' }, timeoutMs: 5_000 });
    expect(await agent?.token.current()).toBeUndefined();
  });

  it("reads the consul CLI's variables", async () => {
    const { agent } = resolveAgent(
      {},
      {
        CONSUL_HTTP_ADDR: 'consul:8501',
        CONSUL_HTTP_SSL: 'true',
        CONSUL_HTTP_SSL_VERIFY: 'false',
        CONSUL_HTTP_TOKEN: 'from-environment',
        CONSUL_HTTP_AUTH: 'me:secret',
        CONSUL_CACERT: certificates.file('ca'),
        CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
        CONSUL_NAMESPACE: 'team',
        CONSUL_PARTITION: 'part',
      },
    );
    expect(agent).toMatchObject({
      address: { origin: 'https://consul:8501' },
      tls: { verify: false, serverName: 'server.dc1.consul' },
      namespace: 'team',
      partition: 'part',
    });
    expect(agent?.tls.certificates?.current().ca).toEqual([readFileSync(certificates.file('ca'), 'utf8')]);
    expect(agent?.auth?.reveal()).toBe('me:secret');
    expect((await agent?.token.current())?.reveal()).toBe('from-environment');
  });

  it('names a certificate that cannot be used', () => {
    const [ca, client, other] = [
      certificates.file('ca'),
      certificates.file('client'),
      certificates.file('server-key'),
    ];
    expect(problems({ tls: { caFile: join(folder, 'ca.pem') } })).toEqual([
      expect.stringMatching(/^agent\.tls = : .*ca\.pem is no PEM file$/),
    ]);
    expect(problems({ tls: { caFile: ca, certFile: client, keyFile: other } })).toEqual([
      expect.stringMatching(
        /^agent\.tls = : .*client\.pem, .*server-key\.pem cannot be used together: .*key values mismatch/,
      ),
    ]);
    expect(problems({ tls: { caFile: ca, certFile: client } })).toEqual([
      'agent.tls = : a client certificate needs both certFile and keyFile',
    ]);
  });

  it('prefers options to the environment, and a token file to a token of the environment', async () => {
    const environment = { CONSUL_HTTP_ADDR: 'elsewhere:1', CONSUL_HTTP_TOKEN: 'from-environment' };
    const { agent } = resolveAgent({ url: 'here:2', tokenFile: join(folder, 'token') }, environment);
    expect(agent?.address.origin).toBe('http://here:2');
    expect((await agent?.token.current())?.reveal()).toBe('from-file');
  });

  it('refuses a token of the environment that no header may have, and does not show it', () => {
    const { issues } = resolveAgent({}, { CONSUL_HTTP_TOKEN: '“pasted”' });
    expect(issues).toEqual([expect.objectContaining({ field: 'CONSUL_HTTP_TOKEN', value: '(not shown)' })]);
    expect(JSON.stringify(issues)).not.toContain('pasted');
  });

  it('names every wrong option with its field, its value and its cure', () => {
    expect(
      problems({
        url: 'ftp://x',
        timeout: 'soon',
        tls: { verify: 'no' as unknown as boolean },
        datacenter: '',
      }),
    ).toEqual([
      expect.stringMatching(/^agent\.url = "ftp:\/\/x": must be an agent's address such as/),
      expect.stringMatching(/^agent\.datacenter = "": must be a datacenter's name/),
      expect.stringMatching(/^agent\.tls\.verify = "no": must be true or false/),
      expect.stringMatching(/^agent\.timeout = "soon": must be a duration/),
    ]);
    expect(problems({ tokne: 'x' } as AgentOptions)[0]).toMatch(
      /^agent\.tokne = : unknown option; known here: url, token/,
    );
  });

  it('names a missing file, whether an option or a variable points to it', () => {
    expect(problems({ tokenFile: '/no/such/token' })).toEqual([
      'agent.tokenFile = "/no/such/token": must be a readable file that contains the token, but it does not exist',
    ]);
    expect(problems({}, { CONSUL_CACERT: '/no/such/ca.pem', CONSUL_HTTP_SSL: 'yes please' })).toEqual([
      expect.stringMatching(/^CONSUL_HTTP_SSL = "yes please": must be 'true' or 'false'/),
      expect.stringMatching(/^CONSUL_CACERT = "\/no\/such\/ca\.pem": must be a readable PEM file/),
    ]);
    expect(problems({ tls: { certFile: join(folder, 'ca.pem') } })[0]).toMatch(
      /needs both certFile and keyFile/,
    );
  });

  it('refuses two tokens, and shows neither', () => {
    const found = problems({ token: 'hush-hush', tokenFile: join(folder, 'token') });
    expect(found).toEqual(['agent.token, agent.tokenFile = : use only one of them']);
  });

  it.each([
    ['http://me:hush-hush@host:99999', '"(secret)@host:99999"'],
    ['me:hush-hush@host name', '"(secret)@host name"'],
    ['http://me:hush@hush?#@host:99999', '"(secret)@host:99999"'],
    ['http://host:8500?token=hush-hush', '"http://host:8500?(secret)"'],
    ['127.0.0.1:85OO', '"127.0.0.1:85OO"'],
  ])('shows of an address %s no password and no token', (url, shown) => {
    const reason = "must be an agent's address such as";
    const [ofVariable] = problems({}, { CONSUL_HTTP_ADDR: url });
    const [ofOption] = problems({ url });
    const [ofList] = problems({ url: ['http://a:1', url] });
    expect(ofVariable?.startsWith(`CONSUL_HTTP_ADDR = ${shown}: ${reason}`)).toBe(true);
    expect(ofOption?.startsWith(`agent.url = ${shown}: ${reason}`)).toBe(true);
    expect(ofList?.startsWith(`agent.url.1 = ${shown}: ${reason}`)).toBe(true);
  });

  it('says what an address is that is no text', () => {
    expect(problems({ url: 8500 as unknown as string })[0]).toMatch(/^agent\.url = 8500: must be an agent's/);
    expect(problems({ url: [] })[0]).toMatch(/^agent\.url = a list of 0: /);
  });

  it('has a default for each option, and takes each', async () => {
    expect(resolveAgent({}, {}).agent).toMatchObject({
      ...{ others: [], auth: undefined, datacenter: undefined, namespace: undefined, partition: undefined },
      ...{ timeoutMs: 5_000, maxConnections: 92, maxWaitMs: Infinity },
      tls: { verify: true, serverName: undefined, certificates: undefined },
    });
    const { agent } = resolveAgent(
      {
        ...{ url: ['http://a:1', 'https://me:word@b:2'], datacenter: 'dc2', namespace: 'n', partition: 'p' },
        ...{ timeout: '2s', maxConnections: 50, maxWait: '30s', tls: { verify: false, serverName: 's' } },
      },
      {
        CONSUL_HTTP_AUTH: 'you:other',
        CONSUL_NAMESPACE: 'x',
        CONSUL_PARTITION: 'y',
        CONSUL_HTTP_SSL_VERIFY: '1',
      },
    );
    expect(agent).toMatchObject({
      address: { origin: 'http://a:1' },
      others: [{ origin: 'https://b:2' }],
      ...{ datacenter: 'dc2', namespace: 'n', partition: 'p' },
      ...{ timeoutMs: 2_000, maxConnections: 50, maxWaitMs: 30_000 },
      tls: { verify: false, serverName: 's' },
    });
    expect([agent?.auth?.reveal(), agent?.others[0]?.auth?.reveal()]).toEqual(['you:other', 'me:word']);
    const own = resolveAgent({ url: 'http://me:word@a:1' }, { CONSUL_HTTP_AUTH: 'you:other' });
    expect(own.agent?.auth?.reveal()).toBe('me:word');
    expect(resolveAgent({ url: [] }, {}).agent).toBeUndefined();
  });

  it('takes a token from wherever it comes, without spaces', async () => {
    const tokenOf = async (options: AgentOptions): Promise<string | undefined> =>
      (await resolveAgent(options, {}).agent?.token.current())?.reveal();
    expect(await tokenOf({ token: ' own ' })).toBe('own');
    expect(await tokenOf({ tokenProvider: () => 'provided' })).toBe('provided');
    const { agent } = resolveAgent({ login: { method: 'm', bearerToken: () => 'jwt' } }, {});
    expect(agent?.token).toBeInstanceOf(LoginTokenSource);
    expect(problems({ tokenProvider: 'x' as never })).toEqual([
      'agent.tokenProvider = (not shown): must be a function that returns the ACL token',
    ]);
    expect(problems({ token: 'with a space' })[0]).toMatch(/without spaces$/);
    expect(problems({ login: { method: 'm', bearerToken: 'x' as never } })[0]).toMatch(
      /^agent\.login\.bearerToken = .*: must be a function that returns the token for the auth method$/,
    );
    expect(problems({ login: { method: 'm', bearerToken: () => 'x', bearerTokenFile: 'y' } })[0]).toMatch(
      /must have bearerTokenFile or bearerToken, not both$/,
    );
    expect(problems({ login: { method: 'm', bearerTokenFile: 'y' } })).toEqual([]);
  });

  it('names a value of the environment by its variable, and where it is wrong has no agent', () => {
    const { agent, issues } = resolveAgent({}, { CONSUL_HTTP_ADDR: 'ftp://x' });
    expect([agent, issues]).toEqual([
      undefined,
      [
        {
          field: 'CONSUL_HTTP_ADDR',
          value: '"ftp://x"',
          hint: expect.stringMatching(/^must be an agent's address such as/),
        },
      ],
    ]);
    const wrong = resolveAgent({ timeout: 'soon' as never }, {});
    expect(Object.keys(wrong)).toEqual(['agent', 'issues']);
    expect(wrong.agent).toBeUndefined();
  });

  it('reads the authorities of a folder', () => {
    const caPath = join(folder, 'authorities');
    mkdirSync(caPath);
    copyFileSync(certificates.file('ca'), join(caPath, 'ca.pem'));
    const { agent } = resolveAgent({}, { CONSUL_CAPATH: caPath });
    expect(agent?.tls.paths.caPath).toBe(caPath);
    expect(agent?.tls.certificates?.current().ca?.length).toBeGreaterThan(0);
    expect(problems({ tls: { caPath: '/no/such/folder' } })).toEqual([
      expect.stringMatching(
        /^agent\.tls\.caPath = "\/no\/such\/folder": must be a readable directory of PEM files/,
      ),
    ]);
  });

  it('warns once of an agent that is not verified', () => {
    const logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    try {
      const tls = { verify: false };
      resolveAgent({ url: 'http://unverified:1', tls }, {});
      resolveAgent({ url: 'https://verified:1' }, {});
      expect(logger.lines).toEqual([]);
      for (const url of ['https://unverified:1', 'https://unverified:1', 'https://unverified:2'])
        resolveAgent({ url, tls }, {});
      expect(logger.lines).toEqual(
        [1, 2].map((port) =>
          expect.stringContaining(`any server can answer as https://unverified:${port}, and gets`),
        ),
      );
    } finally {
      Logger.overrideLogger(new ConsoleLogger());
    }
  });
});
