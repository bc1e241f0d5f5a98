import { describe, expect, it } from '@jest/globals';
import type { ServiceInstance } from '../registry/service-instance.js';
import { isSame } from './diff-lists.js';

const INSTANCE: Required<ServiceInstance> = {
  ...{ id: 'a-1', service: 'a', address: '10.0.0.1', port: 80, secure: false, inMesh: false },
  ...{ tags: ['v1'], meta: { x: '1' }, status: 'passing', weight: 1 },
  ...{ zone: 'z1', node: 'n1', datacenter: 'dc1' },
};
const OTHER: Required<ServiceInstance> = {
  ...{ id: 'a-2', service: 'b', address: '10.0.0.2', port: 81, secure: true, inMesh: true },
  ...{ tags: ['v2'], meta: { x: '2' }, status: 'warning', weight: 2 },
  ...{ zone: 'z2', node: 'n2', datacenter: 'dc2' },
};

describe('isSame', () => {
  it('is true for a copy', () => {
    expect(isSame(INSTANCE, structuredClone(INSTANCE))).toBe(true);
  });

  it.each(Object.entries(OTHER))('is false for another %s', (field, value) => {
    expect(isSame(INSTANCE, { ...INSTANCE, [field]: value as unknown })).toBe(false);
  });
});
