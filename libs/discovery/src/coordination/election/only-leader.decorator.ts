import { Inject } from '@nestjs/common';
import { currentLock } from '../contention/current-lock.js';
import { assertLockKey } from '../lock/lock-key.js';
import { notCreated, replaceMethod } from '../decorated-method.js';
import { cronOptionsOf } from '../schedule/cron-schedule.js';
import { noteLeaderMethod } from './leader-methods.js';
import { LeaderElections } from './leader-elections.js';

const ELECTIONS = Symbol('rookery:leader-elections');

export interface OnlyLeaderOptions {
  /** The name of the job, under which its ticks are claimed. Default: `Class.method`. */
  job?: string;
}

/**
 * The method runs only in the process that leads the election of the key; in the others a call does nothing, and resolves to undefined,
 * also where it is declared to return something else. The app
 * takes part in the election from its start. `currentLock()` inside the method is the leader's lock, with `signal` and `fence`.
 *
 * With `@Cron` of `@nestjs/schedule`, above or below, each tick is run once at most, in all processes: the leader claims it in the registry first. A tick
 * during a handover is run by the next leader; ticks that no process ran are counted, with the reason, in the event `schedule.missed`.
 *
 * @param key of the election, in the registry; claims are kept below `<key>/ticks/`, in etcd below `<key>.ticks/`
 * @throws DiscoveryError `RK_CONFIG_INVALID` when the app starts, and two of its methods have the same name of the job
 *
 * @example
 * ```ts
 * @Cron('0 3 * * *')
 * @OnlyLeader('leaders/nightly')
 * async report() {
 *   await this.reports.write({ signal: currentLock()?.signal });
 * }
 * ```
 */
export function OnlyLeader(key: string, { job }: OnlyLeaderOptions = {}): MethodDecorator {
  assertLockKey(key);
  return (target, method, descriptor) => {
    noteLeaderMethod(target.constructor, { key, job, method });
    Inject(LeaderElections)(target, ELECTIONS);
    replaceMethod(target, method, descriptor, async (instance, name, run, replaced) => {
      const elections = (instance as { [ELECTIONS]?: LeaderElections })[ELECTIONS];
      if (!elections) throw notCreated(name);
      const election = elections.of(key);
      // A job that calls another one, such as that of its base class: it is no tick of its own.
      const outer = currentLock();
      if (outer !== undefined && outer === election.term) return run();
      return elections.jobs.run({ name: job ?? name, election, cron: cronOptionsOf(replaced) }, run);
    });
  };
}
