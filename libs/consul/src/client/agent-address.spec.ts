import { describe, expect, it } from '@jest/globals';
import { parseAgentAddress } from './agent-address.js';

describe('parseAgentAddress', () => {
  it.each([
    ['127.0.0.1:8500', false, 'http://127.0.0.1:8500', '127.0.0.1'],
    ['consul.local', false, 'http://consul.local:8500', 'consul.local'],
    ['http://consul:80', false, 'http://consul:80', 'consul'],
    ['https://consul:443/', false, 'https://consul:443', 'consul'],
    ['https://consul', false, 'https://consul:8500', 'consul'],
    ['http://consul:8501', true, 'https://consul:8501', 'consul'],
    ['[::1]:8500', false, 'http://[::1]:8500', '::1'],
  ])('reads %p (tls %p) as %p', (text, tls, origin, host) => {
    expect(parseAgentAddress(text, tls)).toMatchObject({
      origin,
      host,
      socketPath: undefined,
      auth: undefined,
    });
  });

  it.each([
    ['http://gateway/consul', 'http://gateway:80', '/consul'],
    ['https://gateway/a/consul/', 'https://gateway:443', '/a/consul'],
    ['http://gateway:8500/consul', 'http://gateway:8500', '/consul'],
  ])('reads the path of a gateway from %p', (text, origin, pathPrefix) => {
    expect(parseAgentAddress(text, false)).toMatchObject({ origin, pathPrefix });
  });

  it('reads a socket file', () => {
    expect(parseAgentAddress('unix:///run/consul.sock', false)).toMatchObject({
      host: undefined,
      socketPath: '/run/consul.sock',
    });
  });

  it('removes user and password from the address', () => {
    const address = parseAgentAddress('http://me:p%40ss@consul:8500', false);
    expect(address?.origin).toBe('http://consul:8500');
    expect(address?.auth?.reveal()).toBe('me:p@ss');
    expect(JSON.stringify(address)).not.toContain('p@ss');
    expect(parseAgentAddress('http://me:50%@consul', false)?.auth?.reveal()).toBe('me:50%');
  });

  it.each([
    '',
    'ftp://consul',
    'http://',
    'consul:99999',
    'consul/v1',
    'http://consul:8500/v1/',
    'gateway/consul',
    'a b',
    'unix://relative',
    'http://c?x=1',
  ])('refuses %p', (text) => {
    expect(parseAgentAddress(text, false)).toBeUndefined();
  });
});
