import { describe, expect, it } from '@jest/globals';
import { describeHolder, parseHolder, thisHolder } from './lock-holder.js';

describe('the holder in the key of a lock', () => {
  it('is read as it was written', () => {
    const holder = thisHolder({ service: 'orders', id: 'orders-a-3000', address: '10.0.0.7', port: 3000 });
    expect(parseHolder(Buffer.from(JSON.stringify(holder)))).toEqual(holder);
    expect(describeHolder(holder)).toBe(`orders-a-3000, on ${holder.host}, pid ${process.pid}`);
  });

  it.each(['', 'Consul lock', 'null', '7', '{"service":7,"port":"x","other":{}}'])(
    'of another program has no fields: %s',
    (text) => {
      expect(parseHolder(Buffer.from(text))).toEqual({});
      expect(describeHolder({})).toBe('another program');
    },
  );
});
