import { beforeEach, describe, expect, it } from '@jest/globals';
import { ContributorStatuses } from './contributor-statuses.js';
import type { Contributor } from './health-contributors.js';

const database: Contributor = {
  name: 'Health.database',
  groups: ['readiness'],
  timeout: undefined,
  run: () => ({}),
};
const up = { status: 'up' } as const;

describe('ContributorStatuses', () => {
  let statuses: ContributorStatuses;
  beforeEach(() => {
    statuses = new ContributorStatuses();
  });

  it('keeps the keys of a contributor that fails, which is known by its own name before', () => {
    const refused = { status: 'down', message: 'refused' };
    expect(statuses.failed(database, 'refused')).toEqual({ 'Health.database': refused });
    statuses.record(database, { orders: up, customers: up });
    expect(statuses.failed(database, 'refused')).toEqual({ orders: refused, customers: refused });
    expect(statuses.failed({ ...database, name: 'Health.other' }, 'refused')).toEqual({
      'Health.other': refused,
    });
  });

  it('tells each change once, and not what was there at the start', () => {
    expect(statuses.record(database, { database: { status: 'down', message: 'starting' } })).toEqual([]);
    expect(statuses.record(database, { database: { status: 'down', message: 'still starting' } })).toEqual(
      [],
    );
    expect(statuses.record(database, { database: up })).toEqual([
      { name: 'database', from: 'down', to: 'up', reason: undefined },
    ]);
    const cold = { database: { status: 'degraded', message: 'cold', since: 7 } } as never;
    expect(statuses.record(database, cold)).toEqual([
      { name: 'database', from: 'up', to: 'degraded', reason: 'cold' },
    ]);
    expect(statuses.record(database, cold)).toEqual([]);
  });
});
