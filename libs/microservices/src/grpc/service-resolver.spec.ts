import { describe, expect, it } from '@jest/globals';
import { settle } from '@rookery/test-support';
import { installed } from './experimental-api.js';
import { serviceOf, serviceResolver } from './service-resolver.js';

describe('serviceResolver', () => {
  it('tells nothing once it is destroyed, also by the call that asked for it, and tells again when it is used again', async () => {
    const Resolver = serviceResolver(installed);
    const told: object[] = [];
    const listener = (result: object): boolean => told.push(result) > 0;
    // No app of this process has it: that is told as an error.
    const resolver = new Resolver({ path: 'library' }, listener, {});
    resolver.updateResolution();
    resolver.destroy();
    await settle();
    expect(told).toEqual([]);
    resolver.updateResolution();
    await settle();
    expect(told).toEqual([expect.objectContaining({ ok: false })]);
    resolver.destroy();
  });

  it.each([
    ['library', 'library'],
    ['///library', 'library'],
    ['the%20library', 'the library'],
    ['library%', 'library%'],
  ])('takes %s as the service %s', (path, service) => {
    expect(serviceOf({ path })).toBe(service);
  });
});
