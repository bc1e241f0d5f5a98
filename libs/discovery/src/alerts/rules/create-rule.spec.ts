import { describe, expect, it } from '@jest/globals';
import { CallStatistics, ratesBetween } from '../../calling/call-statistics.js';
import { freezeInstance, type InstanceStatus } from '../../registry/service-instance.js';
import type { ObservedApp, ObservedInstance, ObservedService } from '../observed-app.js';
import { createRule } from './create-rule.js';
import type { AlertRuleOptions } from './rule-options.js';

const NOW = 1_000_000;

function instance(
  id: string,
  status: InstanceStatus,
  more: Partial<ObservedInstance> = {},
): ObservedInstance {
  return {
    instance: freezeInstance({
      id,
      service: 'inventory',
      address: '10.0.0.7',
      port: 3000,
      secure: false,
      tags: [],
      meta: {},
      status,
      weight: 1,
      zone: undefined,
      node: 'n',
      datacenter: 'dc1',
    }),
    since: NOW - 90_000,
    knownSince: NOW - 600_000,
    hasPassed: true,
    changes: [],
    ...more,
  };
}

function app(service: Partial<ObservedService>, more: Partial<ObservedApp> = {}): ObservedApp {
  return {
    now: NOW,
    name: 'storefront',
    registrations: [],
    inMaintenance: new Set(),
    services: [
      {
        name: 'inventory',
        instances: [],
        ageMs: 1_000,
        error: undefined,
        departures: [],
        calls: () => undefined,
        ...service,
      },
    ],
    rejectedConfig: new Map(),
    overdueLocks: new Map(),
    contested: new Map(),
    ...more,
  };
}

function summaries(rule: AlertRuleOptions, observed: ObservedApp): string[] {
  return createRule(rule)
    .evaluate(observed)
    .map(({ labels, summary }) => `${JSON.stringify(labels)} ${summary}`);
}

describe('the rules of alerts', () => {
  describe('instances', () => {
    const rule = { type: 'instances', service: 'inventory', atLeast: 2 } as const;

    it('finds too few healthy instances, and says which fail', () => {
      const instances = [instance('a', 'passing'), instance('b', 'critical'), instance('c', 'critical')];
      expect(createRule(rule).evaluate(app({ instances }))).toEqual([
        {
          labels: { service: 'inventory' },
          summary: '"inventory" has 1 healthy instance, at least 2 are wanted',
          description: 'Not healthy: b, critical for 90 s; c, critical for 90 s',
        },
      ]);
      expect(
        summaries(rule, app({ instances: [instance('a', 'passing'), instance('b', 'warning')] })),
      ).toEqual([]);
    });

    it('misses no instance in maintenance, and none that a deploy has just taken away', () => {
      const one = [instance('a', 'passing')];
      expect(summaries(rule, app({ instances: [...one, instance('b', 'maintenance')] }))).toEqual([]);
      expect(summaries(rule, app({ instances: one, departures: [NOW - 119_000] }))).toEqual([]);
      expect(summaries(rule, app({ instances: one, departures: [NOW - 121_000] }))).toHaveLength(1);
      expect(
        summaries({ ...rule, deployGrace: '1s' }, app({ instances: one, departures: [NOW - 2_000] })),
      ).toHaveLength(1);
    });

    it('says nothing without a list, and nothing of other services', () => {
      expect(summaries(rule, app({ instances: undefined }))).toEqual([]);
      expect(summaries(rule, app({ name: 'orders', instances: [] }))).toEqual([]);
      expect(createRule(rule)).toMatchObject({ watches: ['inventory'], for: '30s', severity: 'critical' });
    });
  });

  it('flapping: counts the changes of the time', () => {
    const changes = [1, 2, 3, 4, 5, 700].map((seconds) => NOW - seconds * 1_000);
    const observed = app({ instances: [instance('a', 'passing', { changes }), instance('b', 'passing')] });
    expect(summaries({ type: 'flapping' }, observed)).toEqual([]);
    expect(summaries({ type: 'flapping', changes: 5 }, observed)).toEqual([
      '{"service":"inventory","instance":"a"} a of "inventory" changed its status 5 times in 10 min',
    ]);
    expect(summaries({ type: 'flapping', within: '15m' }, observed)).toHaveLength(1);
  });

  it('never-passed: an instance that was critical from the first on', () => {
    const observed = app({
      instances: [
        instance('a', 'critical', { hasPassed: false }),
        instance('b', 'critical'),
        instance('c', 'maintenance', { hasPassed: false }),
      ],
    });
    expect(summaries({ type: 'never-passed' }, observed)).toEqual([
      '{"service":"inventory","instance":"a"} the checks of a of "inventory" have never passed',
    ]);
  });

  describe('errors and latency', () => {
    const statistics = new CallStatistics();
    for (let n = 1; n <= 100; n++) statistics.add(n <= 97 ? 10 : 900, n <= 6);
    const calls = (withinMs: number) =>
      withinMs === 60_000 ? ratesBetween(undefined, statistics.snapshot) : undefined;

    it('finds a share of failed calls, where there are enough of them', () => {
      expect(summaries({ type: 'errors' }, app({ calls }))).toEqual([
        '{"service":"inventory","app":"storefront"} 6 % of the calls to "inventory" fail',
      ]);
      expect(summaries({ type: 'errors', above: 0.06 }, app({ calls }))).toEqual([]);
      expect(summaries({ type: 'errors', minimumCalls: 101 }, app({ calls }))).toEqual([]);
      expect(summaries({ type: 'errors', within: '30s' }, app({ calls }))).toEqual([]);
    });

    it('finds slow calls', () => {
      expect(summaries({ type: 'latency', above: '500ms' }, app({ calls }))).toEqual([
        expect.stringMatching(/"app":"storefront".*take \d{3,4} ms \(p99\), more than 500 ms/),
      ]);
      expect(summaries({ type: 'latency', above: '500ms', quantile: 0.9 }, app({ calls }))).toEqual([]);
      expect(summaries({ type: 'latency', above: '5s' }, app({ calls }))).toEqual([]);
    });
  });

  it('list-age: a list that the registry has not confirmed', () => {
    const observed = app({ ageMs: 301_000, error: 'connect ECONNREFUSED' });
    expect(createRule({ type: 'list-age' }).evaluate(observed)).toEqual([
      {
        labels: { service: 'inventory', app: 'storefront' },
        summary: 'the list of "inventory" is 5 min old',
        description: 'connect ECONNREFUSED',
      },
    ]);
    expect(summaries({ type: 'list-age', olderThan: '10m' }, observed)).toEqual([]);
  });

  describe('registration', () => {
    const own = { id: 's-1', service: 'storefront', reason: 'ACL denied' } as const;
    const rule = { type: 'registration' } as const;

    it('finds one that is lost, and none that the app asked for', () => {
      const find = (state: 'pending' | 'unconfirmed' | 'registered' | 'deregistered' | 'idle') =>
        summaries(rule, app({}, { registrations: [{ ...own, state }] }));
      expect(find('pending')).toEqual(['{"service":"storefront","instance":"s-1"} s-1 is not registered']);
      expect(find('unconfirmed')).toHaveLength(1);
      for (const state of ['registered', 'deregistered', 'idle'] as const) expect(find(state)).toEqual([]);
    });

    it('finds one that is fought over, for a minute after it was seen last', () => {
      const find = (seconds: number) =>
        summaries(
          rule,
          app(
            {},
            {
              registrations: [{ ...own, state: 'registered' }],
              contested: new Map([['s-1', NOW - seconds * 1_000]]),
            },
          ),
        );
      expect(find(59)).toEqual([
        expect.stringContaining('another writer keeps changing the registration of s-1'),
      ]);
      expect(find(61)).toEqual([]);
    });

    it('is silent while the service is in maintenance', () => {
      const registrations = [{ ...own, state: 'pending' }] as const;
      expect(summaries(rule, app({}, { registrations, inMaintenance: new Set(['storefront']) }))).toEqual([]);
    });
  });

  it('config and lock: what is wrong by the events', () => {
    const observed = app(
      {},
      {
        rejectedConfig: new Map([['config/a', 'not YAML']]),
        overdueLocks: new Map([['jobs', NOW - 300_000]]),
      },
    );
    expect(summaries({ type: 'config' }, observed)).toEqual([
      '{"key":"config/a","app":"storefront"} the configuration in config/a cannot be used, the last good values stay',
    ]);
    expect(summaries({ type: 'lock' }, observed)).toEqual([
      '{"lock":"jobs","app":"storefront"} the lock jobs is held for 5 min',
    ]);
  });
});
