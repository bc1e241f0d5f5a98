import { describe, expect, it } from '@jest/globals';
import { toHealthReport } from './health-report.js';

describe('toHealthReport', () => {
  const of = (status: string, details: Record<string, unknown>): unknown =>
    toHealthReport({ status, details } as unknown as Parameters<typeof toHealthReport>[0]);

  it('says how many indicators are up', () => {
    expect(of('ok', { database: { status: 'up' }, disk: { status: 'up' } })).toEqual({
      status: 'passing',
      output: 'all 2 indicators are up',
    });
  });

  it('says which ones are not, and why', () => {
    const details = {
      database: { status: 'down', message: 'no route' },
      disk: { status: 'up', message: 'fine' },
      cache: { status: 'degraded', message: { hits: 3 } },
      queue: { status: 'down' },
    };
    const output = 'database is down (no route), cache is degraded ({ hits: 3 }), queue is down';
    expect(of('error', details)).toEqual({ status: 'critical', output });
    expect(of('degraded', details)).toEqual({ status: 'warning', output });
    expect(of('ok', { cache: { status: 'degraded' } })).toEqual({
      status: 'passing',
      output: 'cache is degraded',
    });
  });

  it('says the status where no indicator does', () => {
    expect(of('shutting_down', {})).toEqual({ status: 'critical', output: 'shutting_down' });
  });

  it('is bounded in length', () => {
    const details = { database: { status: 'down', message: 'x'.repeat(2_000) } };
    expect(of('error', details)).toEqual({
      status: 'critical',
      output: `database is down (${'x'.repeat(982)}`,
    });
  });
});
