import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { sheddingSettings } from './shedding-options.js';

const request = (headers: Record<string, string> = {}): IncomingMessage =>
  ({ headers }) as unknown as IncomingMessage;

describe('the urgency of a request', () => {
  it.each([
    [{}, 3],
    [{ priority: 'u=5' }, 5],
    [{ priority: 'i, u=0' }, 0],
    [{ priority: '7' }, 7],
    [{ priority: 'u=9' }, 3],
  ])('is what its header says: %j', (headers, expected) => {
    expect(sheddingSettings(true)?.urgency(request(headers as Record<string, string>))).toBe(expected);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no user');
      },
      'threw: no user',
    ],
    ['returns no number', () => '1' as unknown as number, 'returned no number'],
    ['rejects', () => Promise.reject(new Error('late')) as unknown as number, 'returned no number'],
  ])(
    'is that of others where a rule of the application %s, which is said once',
    async (_, urgency, reason) => {
      const warnings: string[] = [];
      const settings = sheddingSettings({ urgency }, (message) => warnings.push(message));
      for (let n = 0; n < 3; n++) expect(settings?.urgency(request())).toBe(3);
      // A rejection that nobody handles would end the process of this test.
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([`loadShedding.urgency ${reason}: the request has 3`]);
    },
  );
});
