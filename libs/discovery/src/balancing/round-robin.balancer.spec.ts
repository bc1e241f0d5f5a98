import { describe, expect, it } from '@jest/globals';
import type { ServiceInstance } from '../registry/service-instance.js';
import { RoundRobinBalancer } from './round-robin.balancer.js';

const instances = ['a', 'b', 'c'].map((id) => ({ id })) as ServiceInstance[];
const none: ReadonlySet<string> = new Set();

describe('RoundRobinBalancer', () => {
  it('gives each instance the same share', () => {
    const balancer = new RoundRobinBalancer(Math.random);
    const picks = Array.from({ length: 300 }, () => balancer.pick(instances, { tried: none })?.id);
    for (const id of ['a', 'b', 'c']) expect(picks.filter((pick) => pick === id)).toHaveLength(100);
  });

  it('starts where chance says', () => {
    const first = (random: number): string | undefined =>
      new RoundRobinBalancer(() => random).pick(instances, { tried: none })?.id;
    expect(new Set([0, 1 / 2 ** 30, 2 / 2 ** 30].map(first)).size).toBe(3);
  });

  it('passes over what was tried, and gives up when all were', () => {
    const balancer = new RoundRobinBalancer(() => 0);
    expect(balancer.pick(instances, { tried: new Set(['a', 'c']) })?.id).toBe('b');
    expect(balancer.pick(instances, { tried: new Set(['a', 'b', 'c']) })).toBeUndefined();
    expect(balancer.pick([], { tried: none })).toBeUndefined();
  });
});
