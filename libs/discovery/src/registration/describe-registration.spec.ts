import { describe, expect, it } from '@jest/globals';
import { describeRegistration, type Listening } from './describe-registration.js';

const listening: Listening = {
  port: 3000,
  secure: false,
  hostName: 'host',
  address: undefined,
  checkHost: '127.0.0.1',
  checkIsRemote: false,
  healthPath: '/health',
};

describe('describeRegistration', () => {
  it('needs no more than a name', () => {
    expect(describeRegistration({ name: 'inventory' }, listening, 'passing')).toEqual({
      id: 'inventory-host-3000',
      service: 'inventory',
      address: undefined,
      port: 3000,
      secure: false,
      tags: [],
      meta: {},
      weights: undefined,
      status: 'passing',
      checks: [
        {
          id: 'inventory-host-3000:http',
          name: 'HTTP /health',
          type: 'http',
          url: 'http://127.0.0.1:3000/health',
          interval: 10_000,
          timeout: 5_000,
          deregisterCriticalServiceAfter: 600_000,
          method: undefined,
          headers: undefined,
          tlsSkipVerify: false,
        },
      ],
    });
  });

  it('writes numbers and booleans of the meta as text', () => {
    const { meta } = describeRegistration(
      { name: 'a', meta: { n: 1, b: true, t: 'x' } },
      listening,
      'passing',
    );
    expect(meta).toEqual({ n: '1', b: 'true', t: 'x' });
  });

  it('checks where the process listens, unless the address is another one that it was told', () => {
    const told = { name: 'a', port: 4711, address: 'books.example' };
    const [local] = describeRegistration(told, listening, 'passing').checks;
    expect(local).toMatchObject({ url: 'http://127.0.0.1:3000/health' });
    const elsewhere = { ...listening, checkHost: 'books.example', checkIsRemote: true };
    const [remote] = describeRegistration(told, elsewhere, 'passing').checks;
    expect(remote).toMatchObject({ url: 'http://books.example:4711/health' });
    const [tls] = describeRegistration({ name: 'a' }, { ...listening, secure: true }, 'passing').checks;
    expect(tls).toMatchObject({ url: 'https://127.0.0.1:3000/health' });
    const offloaded = { name: 'a', secure: true, check: { type: 'http', interval: '5s' } } as const;
    expect(describeRegistration(offloaded, listening, 'passing')).toMatchObject({
      secure: true,
      checks: [{ url: 'http://127.0.0.1:3000/health' }],
    });
  });

  it('gives each of several checks an id of its own', () => {
    const { checks } = describeRegistration(
      {
        name: 'a',
        id: 'me',
        check: [
          { type: 'https', path: '/ready', interval: '5s', headers: { 'X-Probe': 'yes' }, method: 'HEAD' },
          { type: 'tcp', interval: 2_000, port: 4000 },
        ],
      },
      { ...listening, checkHost: '::1', secure: true },
      'passing',
    );
    expect(checks).toMatchObject([
      { id: 'me:https-1', url: 'https://[::1]:3000/ready', headers: { 'X-Probe': 'yes' }, method: 'HEAD' },
      { id: 'me:tcp-2', address: '[::1]:4000', interval: 2_000 },
    ]);
  });
});
