import { beforeEach, describe, expect, it } from '@jest/globals';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { ContributorStatuses, type HealthChange } from './contributor-statuses.js';
import type { Contributor } from './health-contributors.js';

const database: Contributor = {
  name: 'Health.database',
  groups: ['readiness'],
  timeout: undefined,
  run: () => ({}),
};
const up = { status: 'up' } as const;

const down = (message: string): HealthIndicatorResult => ({ database: { status: 'down', message } });

describe('ContributorStatuses', () => {
  let statuses: ContributorStatuses;
  const record = (result: HealthIndicatorResult, of = database): readonly HealthChange[] =>
    statuses.record(of, statuses.begin(), result);
  beforeEach(() => {
    statuses = new ContributorStatuses();
  });

  it('keeps the keys of a contributor that fails, which is known by its own name before', () => {
    const refused = { status: 'down', message: 'refused' };
    expect(statuses.failed(database, 'refused')).toEqual({ 'Health.database': refused });
    record({ orders: up, customers: up });
    expect(statuses.failed(database, 'refused')).toEqual({ orders: refused, customers: refused });
    const named = { ...database, name: 'orders' };
    record({ orders: up, customers: up }, named);
    expect(statuses.failed(named, 'refused')).toEqual({ orders: refused, customers: refused });
    expect(statuses.failed({ ...database, name: 'Health.other' }, 'refused')).toEqual({
      'Health.other': refused,
    });
  });

  it('tells each change once, and not what was there at the start', () => {
    expect(record(down('starting'))).toEqual([]);
    expect(record(down('still starting'))).toEqual([]);
    expect(record({ database: up })).toEqual([
      { name: 'database', from: 'down', to: 'up', reason: undefined },
    ]);
    const cold = { database: { status: 'degraded', message: 'cold', since: 7 } } as never;
    expect(record(cold)).toEqual([{ name: 'database', from: 'up', to: 'degraded', reason: 'cold' }]);
    expect(record(cold)).toEqual([]);
  });

  it('tells of a contributor that had no key yet when it failed', () => {
    record(statuses.failed(database, 'refused'));
    record(statuses.failed(database, 'refused'));
    expect(record({ database: up })).toEqual([
      { name: 'database', from: 'down', to: 'up', reason: undefined },
    ]);
    expect(record(statuses.failed(database, 'refused'))).toEqual([
      { name: 'database', from: 'up', to: 'down', reason: 'refused' },
    ]);
  });

  it('does not take one contributor for another that has the same key', () => {
    const other = { ...database, name: 'Health.other' };
    record({ database: up });
    record(down('refused'), other);
    expect(record({ database: up })).toEqual([]);
    expect(record(down('refused'), other)).toEqual([]);
  });

  it('believes the run that began last, of several at once', () => {
    record({ database: up });
    const [slow, fast] = [statuses.begin(), statuses.begin()];
    expect(statuses.record(database, fast, { database: up })).toEqual([]);
    expect(statuses.record(database, slow, down('no result in 4000 ms'))).toEqual([]);
    expect(record({ database: up })).toEqual([]);
  });

  it('has one line of what is said, of bounded length', () => {
    record({ database: up });
    expect(record(down(`${'x'.repeat(400)}\nselect`))[0]?.reason).toBe(`${'x'.repeat(300)}…`);
    record({ database: up });
    expect(record(down('refused\nselect *'))[0]?.reason).toBe('refused');
  });
});
