import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InstanceKeys } from './instance-keys.js';

describe('InstanceKeys', () => {
  const keys = new InstanceKeys('/rookery/services');

  it('has a range that ends with a slash', () => {
    expect(keys.of('app')).toEqual({ prefix: '/rookery/services/app/' });
    expect(keys.key('app', 'app-1')).toBe('/rookery/services/app/app-1');
    expect(new InstanceKeys('').key('app', '10.0.0.1:80')).toBe('app/10.0.0.1:80');
  });

  it.each([
    '/rookery/services',
    '/rookery/services/',
    '/rookery/services/app',
    '/rookery/services/app/',
    '/other/app/1',
  ])('%s is not the key of an instance', (key) => {
    expect(keys.parse(key)).toBeUndefined();
  });

  it('reads what it has written, whatever the id is', () => {
    const name = fc.stringMatching(/^[a-z]+(\/[a-z]+)?$/);
    const id = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(name, id, (service, of) => {
        expect(keys.parse(keys.key(service, of))).toEqual({ service, id: of });
      }),
    );
  });
});
