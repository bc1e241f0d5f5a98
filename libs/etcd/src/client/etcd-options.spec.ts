import { describe, expect, it } from '@jest/globals';
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

  it.each(['', 'ftp://a', 'http://a/v3', 'a b', 'http://user:word@a', 'a:99999'])('%j is none', (text) => {
    expect(parseEndpoint(text, false)).toBeUndefined();
  });
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

  it('names the field and the cure, and no password', () => {
    const { etcd, issues } = resolveEtcd(
      { tls: { caFile: '/none.pem', certFile: '/none.pem' } },
      { ETCDCTL_ENDPOINTS: 'http://u:geheim@a', ETCDCTL_USER: 'app' },
    );
    expect(etcd).toBeUndefined();
    expect(issues.map(({ field }) => field)).toEqual([
      'tls.caFile',
      'tls.certFile',
      'tls',
      'ETCDCTL_ENDPOINTS',
      'ETCDCTL_USER',
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
