import { describe, expect, it } from '@jest/globals';
import { FakeTerminal } from '@rookery/test-support';
import { run } from './run.js';
import type { Terminal } from './terminal.js';

const runWith = async (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  runOn({}, ...args);

async function runOn(
  changes: Partial<Terminal>,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const terminal = new FakeTerminal({}, changes);
  const code = await run(args, terminal);
  return { code, out: terminal.out, err: terminal.err };
}

describe('the rookery command', () => {
  it('prints its usage', async () => {
    expect(await runWith('--help')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^usage: rookery COMMAND/) as unknown,
    });
    expect((await runWith()).code).toBe(2);
    // A value may be what is an option elsewhere.
    const put = await runWith('config', 'put', 'a//b', '--', '-h');
    expect([put.code, put.out]).toEqual([2, '']);
  });

  it.each<[string[], RegExp]>([
    [['kv'], /unknown command: kv\. There are status, services, explain, watch, doctor, config/],
    [['config'], /a command is missing: check, schema, diff/],
    [['config', 'impot', 'x'], /unknown command: config impot\. Is it import\?/],
    [['config', 'toString'], /unknown command: config toString\. There are check/],
    [['config', 'get'], /KEY is missing/],
    [['config', 'put'], /KEY and VALUE are missing/],
    [['config', 'get', 'a', 'b'], /unexpected argument: b/],
    [['config', 'get', 'a', '--frob'], /Unknown option '--frob'/],
    [['config', 'get', 'a//b'], /"a\/\/b" has two slashes in a row/],
    [['config', 'diff', '/none/here'], /\/none\/here: there is no such folder/],
    [['config', 'diff', '.', '--prefix', 'a//b'], /--prefix "a\/\/b" has two slashes/],
    [['config', 'diff', '.', '--prefix', 'a/'], /--prefix "a\/" ends with a slash/],
    [['config', 'get', 'a', '--http-addr', 'ftp://x'], /agent\.url/],
    [['config', 'get', 'a', '--token-file', '/none'], /agent\.tokenFile = "\/none": .* it does not exist/],
    [['config', 'get', 'a', '--http-addr', '127.0.0.1:1'], /ECONNREFUSED/],
    [['config', 'watch', 'a', '--http-addr', '127.0.0.1:1'], /ECONNREFUSED/],
    [['config', 'check', '--order', 'x'], /order = "x": must be 'name' or 'profile'/],
  ])('%j is one clear error', async (args, message) => {
    const { code, out, err } = await runWith(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/^ {4}at /m);
  });

  it('shows where an error came from that is a fault of its own, and the usage only where it was used wrongly', async () => {
    const fault = new TypeError('a fault');
    const { code, err } = await runOn({ readInput: () => Promise.reject(fault) }, 'config', 'put', 'a', '-');
    expect(code).toBe(2);
    expect(err).toBe(`rookery: a fault\n${fault.stack ?? ''}\n`);
    expect((await runWith('config', 'diff', '/none/here')).err).not.toContain('--help');
    expect((await runWith('config', 'frob')).err).toMatch(
      /\nrookery --help lists the commands and their options\n$/,
    );
  });

  it('says nothing when it was interrupted', async () => {
    const stopped = await runOn({ signal: AbortSignal.abort() }, 'config', 'get', 'a', '--frob');
    expect(stopped).toEqual({ code: 2, out: '', err: '' });
  });
});
