import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, FakeAgent, FakeTerminal } from '@rookery/test-support';
import { run } from './run.js';
import type { Terminal } from './terminal.js';

describe('the commands for keys', () => {
  let agent: FakeAgent;
  let terminal: FakeTerminal;

  beforeEach(async () => {
    agent = await FakeAgent.start();
    terminal = terminalWith();
  });
  afterEach(() => agent.stop());

  const terminalWith = (changes: Partial<Terminal> = {}): FakeTerminal =>
    new FakeTerminal(
      { CONSUL_HTTP_ADDR: agent.url },
      { readInput: () => Promise.resolve(Buffer.from([0, 1, 255])), ...changes },
    );
  const config = async (args: readonly string[]): Promise<[number, string, string]> => [
    await run(['config', ...args], terminal),
    terminal.bytes.toString('latin1'),
    terminal.err,
  ];
  const entry = (Key: string, value: string | Buffer, ModifyIndex = 7): object => ({
    ...{
      Key,
      Value: Buffer.from(value).toString('base64'),
      Flags: 0,
      CreateIndex: 1,
      ModifyIndex,
      LockIndex: 0,
    },
  });
  /** Of the last write, and what was written. */
  const written = (): [string, Buffer] => {
    const [request] = agent.requests.filter(({ method }) => method !== 'GET').slice(-1);
    return [`${request?.method ?? ''} ${request?.url ?? ''}`, request?.body ?? Buffer.alloc(0)];
  };

  it('get prints the bytes of a value, and nothing else', async () => {
    const bytes = Buffer.from([0, 10, 200, 255]);
    agent.answers['/v1/kv/app/key'] = [entry('app/key', bytes)];
    expect(await config(['get', 'app/key'])).toEqual([0, bytes.toString('latin1'), '']);
  });

  it('get says that there is none', async () => {
    expect(await config(['get', 'app/none'])).toEqual([1, '', 'there is no key app/none\n']);
  });

  it('put writes what is given, or what it reads', async () => {
    agent.answers['/v1/kv/app/key'] = true;
    expect(await config(['put', 'app/key', 'é'])).toEqual([0, '', 'app/key: 2 bytes written\n']);
    expect(written()).toEqual(['PUT /v1/kv/app/key', Buffer.from('é')]);
    terminal.err = '';
    expect(await config(['put', 'app/key', '-'])).toEqual([0, '', 'app/key: 3 bytes written\n']);
    expect(written()[1]).toEqual(Buffer.from([0, 1, 255]));
  });

  it('delete deletes what is there', async () => {
    agent.answers['/v1/kv/app/key'] = (_url: string, method: string) =>
      method === 'DELETE' ? true : [entry('app/key', 'x')];
    expect(await config(['delete', 'app/key'])).toEqual([0, '', 'app/key: deleted\n']);
    expect(written()[0]).toBe('DELETE /v1/kv/app/key');
    const before = agent.requests.length;
    terminal.err = '';
    expect(await config(['delete', 'app/none'])).toEqual([1, '', 'there is no key app/none\n']);
    expect(agent.requests.slice(before).map(({ method }) => method)).toEqual(['GET']);
  });

  it('watch prints what is there, and each change, with secrets hidden, until it is interrupted', async () => {
    const trees = [
      [entry('app/rate', '100'), entry('app/password', 'x', 8)],
      [entry('app/rate', '200', 9), entry('app/password', 'x', 8), entry('app/pin', '12', 9)],
      [entry('app/rate', '200', 9), entry('app/pin', '12', 9)],
    ];
    const stopping = new AbortController();
    let index = 7;
    agent.answers['/v1/kv/app/'] = (url: string) => {
      if (url.includes('keys')) return ['app/rate'];
      agent.index = String(++index);
      return (
        trees.shift() ??
        new Promise((resolve) => stopping.signal.addEventListener('abort', () => resolve([])))
      );
    };
    terminal = terminalWith({ signal: stopping.signal });
    const running = run(['config', 'watch', 'app/', '--secret', 'pin'], terminal);
    await eventually(() => terminal.out.split('\n').length > 5);
    stopping.abort();
    expect(await running).toBe(0);
    expect(terminal.out.trim().split('\n')).toEqual([
      '+ app/rate: "100"',
      expect.stringMatching(/^\+ app\/password: (?!x$)/),
      '~ app/rate: "100" → "200"',
      expect.stringMatching(/^\+ app\/pin: (?!12$)/),
      expect.stringMatching(/^- app\/password: (?!x$)/),
    ]);
    expect(agent.asked[0]).toBe('/v1/kv/app/?keys=&separator=%2F');
  });
});
