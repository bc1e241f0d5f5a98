import { describe, expect, it } from '@jest/globals';
import { chosenRegistry } from './choose-registry.js';

describe('chosenRegistry', () => {
  it('is Consul, or the one that is named', () => {
    expect(chosenRegistry([])).toBe('consul');
    expect(chosenRegistry(['--registry', 'etcd'])).toBe('etcd');
    expect(chosenRegistry(['--registry=consul'])).toBe('consul');
  });

  it.each([['--registry=zookeeper'], ['--registy', 'etcd'], ['etcd']])('refuses %s', (...args) => {
    expect(() => chosenRegistry(args)).toThrow(
      /--registry zookeeper is not known: use one of consul, etcd|Un(known|expected)/,
    );
  });
});
