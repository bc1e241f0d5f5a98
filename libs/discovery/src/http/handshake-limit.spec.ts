import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { buildConnector } from 'undici';
import { limitHandshakes } from './handshake-limit.js';

describe('limitHandshakes', () => {
  const started: buildConnector.Callback[] = [];
  const results: (Error | Socket | null)[] = [];
  const limited = (): ((count: number) => void) => {
    started.length = results.length = 0;
    const connect = limitHandshakes((_, done) => void started.push(done));
    const options = { hostname: '127.0.0.1', protocol: 'https:', port: '1' };
    return (count) => {
      for (let n = 0; n < count; n++)
        connect(options, (...[error, socket]: Parameters<buildConnector.Callback>) =>
          results.push(error ?? socket),
        );
    };
  };

  it('begins four at a time, and the next one when one has ended', () => {
    const open = limited();
    open(6);
    expect(started).toHaveLength(4);
    const socket = new Socket();
    started[2]?.(null, socket);
    expect(started).toHaveLength(5);
    expect(results).toEqual([socket]);
    for (const done of [...started.slice(0, 2), ...started.slice(3)]) done(null, socket);
    expect(started).toHaveLength(6);
    started[5]?.(null, socket);
    expect(results).toHaveLength(6);
  });

  it('lets those that wait fail with the first that gets no answer in time, and begins anew', () => {
    const open = limited();
    open(7);
    const silent = Object.assign(new Error('timeout'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
    started[0]?.(silent, null);
    expect(results).toEqual([silent, silent, silent, silent]);
    expect(started).toHaveLength(4);
    open(1);
    expect(started).toHaveLength(5);
  });

  it('goes on after one that fails at once: the certificates may be others by then', () => {
    const open = limited();
    open(6);
    const refused = new Error('self-signed certificate');
    started[0]?.(refused, null);
    expect(results).toEqual([refused]);
    expect(started).toHaveLength(5);
  });

  it('gives the place of one that throws to the next, as often as it happens', () => {
    const errors: unknown[] = [];
    const connect = limitHandshakes(() => {
      throw new Error('key values mismatch');
    });
    for (let n = 0; n < 10; n++)
      connect(
        { hostname: '127.0.0.1', protocol: 'https:', port: '1' },
        (...[error]: Parameters<buildConnector.Callback>) => errors.push(error),
      );
    expect(errors).toHaveLength(10);
  });
});
