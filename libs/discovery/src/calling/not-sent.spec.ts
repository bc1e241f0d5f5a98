import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Agent, request } from 'undici';
import { isNotSent, markSent } from './not-sent.js';

const withCode = (code: string, extra: object = {}): Error => Object.assign(new Error(code), { code }, extra);

describe('isNotSent', () => {
  it.each([
    withCode('ECONNREFUSED'),
    withCode('ENOTFOUND', { syscall: 'getaddrinfo' }),
    withCode('ETIMEDOUT', { syscall: 'connect' }),
    withCode('UND_ERR_CONNECT_TIMEOUT'),
    withCode('UND_ERR_CLOSED'),
    withCode('ERR_TLS_CERT_ALTNAME_INVALID'),
    withCode('DEPTH_ZERO_SELF_SIGNED_CERT'),
    withCode('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    withCode('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'),
    withCode('EPROTO', {
      message:
        'write EPROTO 80:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:x.c:1',
      syscall: 'write',
    }),
    withCode('ECONNRESET', {
      message: 'Client network socket disconnected before secure TLS connection was established',
    }),
    new Error('fetch failed', { cause: withCode('ECONNREFUSED') }),
    new AggregateError([withCode('ECONNREFUSED'), withCode('ENETUNREACH', { syscall: 'connect' })]),
  ])('%s was not sent', (error) => {
    expect(isNotSent(error)).toBe(true);
  });

  it.each([
    withCode('ECONNRESET'),
    withCode('EPIPE'),
    withCode('ETIMEDOUT'),
    withCode('UND_ERR_SOCKET'),
    withCode('EHOSTUNREACH', { syscall: 'read' }),
    withCode('ENETUNREACH', { syscall: 'write' }),
    withCode('ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'),
    withCode('EPROTO', { message: 'SSL routines:ssl3_read_bytes:sslv3 alert bad record mac' }),
    markSent(withCode('ECONNREFUSED', { syscall: 'connect' })),
    new Error('call failed', { cause: markSent(withCode('ECONNREFUSED')) }),
    withCode('UND_ERR_HEADERS_TIMEOUT'),
    new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNRESET')]),
    withCode('RK_CALL_FAILED', { cause: withCode('ECONNREFUSED', { syscall: 'connect' }) }),
    withCode('ECONNREFUSED', { call: { service: 'other', attempts: [] } }),
    new Error('anything else'),
    'no error at all',
  ])('%s may have been sent', (error) => {
    expect(isNotSent(error)).toBe(false);
  });

  it('knows what undici throws for a closed port and for a reset', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy())).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const dispatcher = new Agent();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const failure = (): Promise<unknown> => request(url, { dispatcher }).catch((error: unknown) => error);
    expect(isNotSent(await failure())).toBe(false);
    await once(server.close(), 'close');
    expect(isNotSent(await failure())).toBe(true);
    await dispatcher.close();
  });
});
