import { describe, expect, it } from '@jest/globals';
import type { Secret } from '@rookery/discovery/adapter';
import { TestCertificates } from '@rookery/test-support';
import { parseEndpoint, resolveEtcd } from './etcd-options.js';

describe('parseEndpoint', () => {
  it.each([
    ['127.0.0.1:2379', false, { target: '127.0.0.1:2379', host: '127.0.0.1', secure: false }],
    ['etcd-1', true, { target: 'etcd-1:2379', host: 'etcd-1', secure: true }],
    ['http://etcd-1:80', true, { target: 'etcd-1:80', host: 'etcd-1', secure: false }],
    ['https://[::1]:443/', false, { target: '[::1]:443', host: '::1', secure: true }],
  ])('%s', (text, tls, expected) => {
    expect(parseEndpoint(text, tls)).toEqual(expected);
  });

  it.each(['', 'ftp://a', 'http://a/v3', 'a b', 'http://user:word@a', 'http://:word@a', 'a:99999'])(
    '%j is none',
    (text) => {
      expect(parseEndpoint(text, false)).toBeUndefined();
    },
  );
});

describe('resolveEtcd', () => {
  it('reads what etcdctl reads', () => {
    const { etcd, issues } = resolveEtcd(
      {},
      { ETCDCTL_ENDPOINTS: 'http://a:1, https://b:2', ETCDCTL_USER: 'app:ge:heim' },
    );
    expect(issues).toEqual([]);
    expect(etcd?.endpoints.map(({ target, secure }) => [target, secure])).toEqual([
      ['a:1', false],
      ['b:2', true],
    ]);
    expect(etcd?.auth?.username).toBe('app');
    expect(etcd?.auth?.password.reveal()).toBe('ge:heim');
    expect(JSON.stringify(etcd)).not.toContain('heim');
  });

  it('has a member on this host and three seconds by default', () => {
    expect(resolveEtcd({}, {})).toEqual({
      etcd: {
        endpoints: [{ target: '127.0.0.1:2379', host: '127.0.0.1', secure: false }],
        auth: undefined,
        tls: { certificates: undefined, serverName: undefined },
        timeoutMs: 3_000,
      },
      issues: [],
    });
    expect(resolveEtcd({}, { ETCDCTL_ENDPOINTS: ' , ' }).etcd?.endpoints).toHaveLength(1);
  });

  it('takes options before the environment', async () => {
    const certificates = await TestCertificates.create('etcd');
    const [caFile, certFile, keyFile] = (['ca', 'client', 'client-key'] as const).map((name) =>
      certificates.file(name),
    );
    const { etcd, issues } = resolveEtcd(
      {
        endpoints: ['a'],
        auth: { username: 'own', password: 'word' },
        tls: { caFile: caFile ?? '', serverName: 'etcd.internal' },
        timeout: '5s',
      },
      {
        ETCDCTL_ENDPOINTS: 'http://b',
        ETCDCTL_USER: 'app:geheim',
        ETCDCTL_CACERT: '/none.pem',
        ETCDCTL_CERT: certFile,
        ETCDCTL_KEY: keyFile,
      },
    );
    const present = etcd?.tls.certificates?.current();
    expect(present?.ca).toEqual([certificates.pem('ca')]);
    expect(present?.cert).toBe(certificates.pem('client'));
    expect((present?.key as Secret).reveal()).toBe(certificates.pem('client-key'));
    certificates.remove();
    expect(issues).toEqual([]);
    expect(etcd).toMatchObject({
      // With certificates, an address without a scheme is one of TLS.
      endpoints: [{ target: 'a:2379', secure: true }],
      auth: { username: 'own' },
      tls: { serverName: 'etcd.internal' },
      timeoutMs: 5_000,
    });
    expect(etcd?.auth?.password.reveal()).toBe('word');
  });

  it('takes the password of a user from where etcdctl takes it', () => {
    const userOf = (environment: NodeJS.ProcessEnv): unknown => {
      const { etcd, issues } = resolveEtcd({}, environment);
      return etcd?.auth ? [etcd.auth.username, etcd.auth.password.reveal()] : issues;
    };
    expect(userOf({ ETCDCTL_USER: 'a:b', ETCDCTL_PASSWORD: 'c' })).toEqual(['a:b', 'c']);
    expect(userOf({ ETCDCTL_USER: 'a:b:c' })).toEqual(['a', 'b:c']);
    for (const wrong of ['a', 'a:', ':b'])
      expect(userOf({ ETCDCTL_USER: wrong })).toEqual([
        { field: 'ETCDCTL_USER', hint: 'must be name:password, or set ETCDCTL_PASSWORD' },
      ]);
  });

  it('names the field and the cure, and no password', () => {
    const { etcd, issues } = resolveEtcd(
      { tls: { caFile: '/none.pem', certFile: '/none.pem' } },
      { ETCDCTL_ENDPOINTS: 'http://u:geheim@a', ETCDCTL_USER: 'app' },
    );
    expect(etcd).toBeUndefined();
    const none = { value: '"/none.pem"', hint: 'must be a readable PEM file, but it does not exist' };
    expect(issues).toEqual([
      { field: 'tls.caFile', ...none },
      { field: 'tls.certFile', ...none },
      { field: 'tls', hint: 'a client certificate needs both certFile and keyFile' },
      { field: 'ETCDCTL_ENDPOINTS', hint: expect.stringMatching(/^each must be a member's address such as/) },
      { field: 'ETCDCTL_USER', hint: 'must be name:password, or set ETCDCTL_PASSWORD' },
    ]);
    expect(JSON.stringify(issues)).not.toContain('geheim');
  });

  it('says which files do not fit', async () => {
    const certificates = await TestCertificates.create('etcd');
    const tls = { certFile: certificates.file('client'), keyFile: certificates.file('server-key') };
    const { etcd, issues } = resolveEtcd({ tls }, {});
    certificates.remove();
    expect(etcd).toBeUndefined();
    expect(issues).toEqual([
      { field: 'tls', hint: expect.stringMatching(/client\.pem, .*server-key\.pem .*key values mismatch/) },
    ]);
  });
});
