import { describe, expect, it } from '@jest/globals';
import { parseCommand, positionals } from './command-options.js';
import { UsageError } from './terminal.js';

describe('the options of a command', () => {
  it('are those of the consul CLI', () => {
    const files = [
      '--ca-file',
      'ca',
      '--client-cert',
      'cert',
      '--client-key',
      'key',
      '--token-file',
      'token',
    ];
    const { agent, positionals: names } = parseCommand([
      ...['a', '--http-addr', 'host:1', '--datacenter', 'dc2', '--namespace', 'team', ...files, 'b'],
    ]);
    expect(names).toEqual(['a', 'b']);
    expect(agent).toEqual({
      ...{ url: 'host:1', tokenFile: 'token', datacenter: 'dc2', namespace: 'team' },
      tls: { caFile: 'ca', certFile: 'cert', keyFile: 'key' },
    });
    expect(parseCommand(['--ca-file', 'ca']).agent).toEqual({ tls: { caFile: 'ca' } });
    expect(parseCommand(['--client-cert', 'c']).agent).toEqual({ tls: { certFile: 'c' } });
    expect(parseCommand([]).agent).toEqual({});
  });

  it('are those of its own, too', () => {
    const own = { prune: { type: 'boolean' }, secret: { type: 'string', multiple: true } } as const;
    expect(parseCommand(['--prune', '--secret', 'a', '--secret', 'b'], own).values).toMatchObject({
      ...{ prune: true, secret: ['a', 'b'] },
    });
  });

  it('are refused when they are unknown, and a value that begins with a dash is told how to be written', () => {
    expect(() => parseCommand(['--frob'])).toThrow(new UsageError("Unknown option '--frob'"));
    expect(() => parseCommand(['put', 'a', '-5'])).toThrow(
      new UsageError("Unknown option '-5': put -- before a value that begins with a dash"),
    );
    expect(parseCommand(['put', 'a', '--', '-5']).positionals).toEqual(['put', 'a', '-5']);
  });

  it('come with as many arguments as it takes', () => {
    const command = (...args: string[]): ReturnType<typeof parseCommand> => parseCommand(args);
    expect(positionals(command('a', 'b'), ['A'], ['B'])).toEqual(['a', 'b']);
    expect(positionals(command('a'), ['A'], ['B'])).toEqual(['a']);
    expect(() => positionals(command('a', 'b', 'c', 'd'), ['A'], ['B'])).toThrow('unexpected argument: c d');
    expect(() => positionals(command('a'), ['A', 'B'])).toThrow('B is missing');
    expect(() => positionals(command(), ['A', 'B'])).toThrow('A and B are missing');
  });
});
