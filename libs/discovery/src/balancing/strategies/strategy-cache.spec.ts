import { describe, expect, it } from '@jest/globals';
import { LoadBalancer, type Target } from '../load-balancer.js';
import { StrategyCache } from './strategy-cache.js';

const cache = (): StrategyCache => new StrategyCache({ random: Math.random, onFailure: () => undefined });

describe('StrategyCache', () => {
  it('keeps a balancer for each strategy and group', () => {
    const balancers = cache();
    const one = balancers.get('round-robin', 'a');
    expect(balancers.get('round-robin', 'a')).toBe(one);
    expect(balancers.get('round-robin', 'b')).not.toBe(one);
    expect(balancers.get('random', 'a')).not.toBe(one);
  });

  it('is bounded where each call has a class of its own', () => {
    const balancers = cache();
    const one = balancers.get('round-robin', '');
    const own = (): new () => LoadBalancer =>
      class extends LoadBalancer {
        override pick([first]: readonly Target[]): Target | undefined {
          return first;
        }
      };
    for (let n = 1; n < 50; n++) balancers.get(own(), '');
    expect(balancers.get('round-robin', '')).toBe(one);
    balancers.get(own(), '');
    expect(balancers.get('round-robin', '')).not.toBe(one);
  });
});
