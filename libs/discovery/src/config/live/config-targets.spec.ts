import { describe, expect, it } from '@jest/globals';
import { ConfigTargets } from './config-targets.js';

describe('ConfigTargets', () => {
  it('changes, adds and removes the names that are its own', () => {
    const targets = new ConfigTargets();
    targets.show({ a: 1, b: 1, n: NaN });
    const target: Record<string, unknown> = { b: 'of another' };
    targets.add(target);
    expect(target).toEqual({ a: 1, b: 'of another', n: NaN });
    targets.show({ b: 2, c: 1, n: 5 });
    expect(target).toEqual({ b: 'of another', c: 1, n: 5 });
    targets.remove(target);
    targets.show({});
    expect(target).toEqual({ b: 'of another', c: 1, n: 5 });
  });

  it('knows the names that were copied from an earlier version', () => {
    const targets = new ConfigTargets();
    targets.show({ a: 1, gone: 1 });
    const host: Record<string, unknown> = { a: 1, gone: 1, own: 1 };
    targets.show({ a: 2 });
    targets.add(host);
    expect(host).toEqual({ a: 2, own: 1 });
    targets.show({ a: 3 });
    expect(host).toEqual({ a: 3, own: 1 });
  });
});
