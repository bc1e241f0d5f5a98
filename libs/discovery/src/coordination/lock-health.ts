import type { Contributor } from '../health/health-contributors.js';
import type { LockTable } from './contention/lock-table.js';

const NAME = 'locks';

/** What is held and waited for; a lock that is lost does not make the app unfit for requests. */
export function lockHealth(table: LockTable): Contributor {
  return {
    name: NAME,
    groups: ['readiness'],
    timeout: undefined,
    run: () => {
      const { contentions } = table;
      const held = contentions.flatMap(({ contest, held: locks }) => locks.map(() => contest.key));
      const waiting = contentions.filter(({ waiters }) => waiters > 0).map(({ contest }) => contest.key);
      return { [NAME]: { status: 'up', held, waiting } };
    },
  };
}
