import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import { confirm } from './confirm.js';

describe('a question on a terminal', () => {
  const ask = (keys: string): { answer: Promise<boolean>; interrupted: () => boolean } => {
    const ending = new AbortController();
    const input = new PassThrough();
    const answer = confirm('Import?', {
      ...{ input, output: new PassThrough().resume(), signal: ending.signal, terminal: true },
      onInterrupt: () => ending.abort(new Error('SIGINT')),
    });
    input.write(keys);
    return { answer, interrupted: () => ending.signal.aborted };
  };

  it.each([
    ['y\r', true],
    ['YES\r', true],
    ['\r', false],
    ['n\r', false],
    ['yesterday\r', false],
    // Ctrl-D
    ['\u0004', false],
  ])('is answered by %j: %s', async (keys, isYes) => {
    const { answer, interrupted } = ask(keys);
    expect([await answer, interrupted()]).toEqual([isYes, false]);
  });

  it('is interrupted by Ctrl-C, as the process would be', async () => {
    const { answer, interrupted } = ask('\u0003');
    expect(await thrownBy(() => answer)).toMatchObject({ message: 'SIGINT' });
    expect(interrupted()).toBe(true);
  });
});
