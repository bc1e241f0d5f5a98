import { Global, Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { DiscoveryModule as ProviderScannerModule, DiscoveryService as ProviderScanner } from '@nestjs/core';
import { AlertClaims } from '../alerts/alert-sink.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { DiscoveryEvents } from '../events/discovery-events.js';
import { HealthContributors } from '../health/health-contributors.js';
import { DiscoverySections } from '../introspection/discovery-sections.js';
import { RegistrationService } from '../registration/registration.service.js';
import { systemClock } from '../timing/clock.js';
import { LockTable, type LockTableOptions } from './contention/lock-table.js';
import type { CoordinationStore } from './coordination-store.js';
import { LeaderElection } from './election/leader-election.js';
import { LeaderElections } from './election/leader-elections.js';
import { LeaderJobs } from './election/leader-jobs.js';
import { explainContention } from './lock/explain-lock.js';
import { thisHolder, type LockHolder } from './lock/lock-holder.js';
import { LockService } from './lock/lock.service.js';
import { LockedAlertClaims } from './lock/locked-alert-claims.js';
import { lockHealth } from './lock-health.js';

/** What coordination runs on in an app. */
export interface Coordination {
  readonly store: CoordinationStore;
  readonly options: LockTableOptions;
  /** The end of the app's registration ends what it holds, so that this is released before; others would wait for a lock-delay. */
  readonly endsWithRegistration: boolean;
}

const COORDINATION = Symbol.for('rookery:coordination');

/** Locks, semaphores and elections. An adapter imports it next to `DiscoveryModule`, and says what they run on. */
@Global()
@Module({})
export class CoordinationModule {
  static on(
    coordination: Pick<FactoryProvider<Coordination>, 'inject' | 'useFactory'> &
      Pick<DynamicModule, 'imports'>,
  ): DynamicModule {
    const { imports = [], useFactory, inject = [] } = coordination;
    return {
      module: CoordinationModule,
      imports: [ProviderScannerModule, ...imports],
      providers: [
        { provide: COORDINATION, useFactory, inject },
        {
          provide: LockTable,
          useFactory: createTable,
          inject: [COORDINATION, RegistrationService, DiscoveryEvents, HealthContributors, DiscoverySections],
        },
        {
          provide: LockService,
          useFactory: ({ store }: Coordination, table: LockTable, registration: RegistrationService) =>
            new LockService(store, table, holderOf(registration)),
          inject: [COORDINATION, LockTable, RegistrationService],
        },
        {
          provide: AlertClaims,
          useFactory: (locks: LockService) => new LockedAlertClaims(locks),
          inject: [LockService],
        },
        {
          provide: LeaderElections,
          useFactory: createElections,
          inject: [
            COORDINATION,
            LockTable,
            RegistrationService,
            DiscoveryEvents,
            ProviderScanner,
            DiscoverySections,
          ],
        },
      ],
      exports: [AlertClaims, LockService, LeaderElections],
    };
  }
}

function holderOf(registration: RegistrationService): () => LockHolder {
  return () => thisHolder(registration.instance);
}

/** What the sessions of this process are called. */
export function sessionOwner({ instance: { id, service } }: Pick<RegistrationService, 'instance'>): string {
  return id ?? `${service ?? 'an app'}, pid ${process.pid}`;
}

function createTable(
  { store, options, endsWithRegistration }: Coordination,
  registration: RegistrationService,
  events: DiscoveryEvents,
  health: HealthContributors,
  sections: DiscoverySections,
): LockTable {
  const table: LockTable = new LockTable(options, {
    clock: systemClock,
    random: Math.random,
    owner: () => sessionOwner(registration),
    emit: (event) => events.emit(event),
    onFirstUse: () => {
      health.add(lockHealth(table));
      sections.add('locks', () => table.contentions.map(explainContention));
    },
  });
  if (endsWithRegistration) {
    const left = `the app leaves ${store.name}, and its checks end its locks`;
    registration.beforeLeaving(() => table.releaseAll(new DiscoveryError('RK_LOCK_LOST', left)));
  }
  return table;
}

function createElections(
  { store, options: { shutdownTimeoutMs } }: Coordination,
  table: LockTable,
  registration: RegistrationService,
  events: DiscoveryEvents,
  providers: ProviderScanner,
  sections: DiscoverySections,
): LeaderElections {
  const holder = holderOf(registration);
  const shared = {
    clock: systemClock,
    random: Math.random,
    emit: (event: Parameters<DiscoveryEvents['emit']>[0]) => events.emit(event),
  };
  const create = (key: string): LeaderElection =>
    new LeaderElection(store.lock(key, holder), { ...shared, table, shutdownTimeoutMs });
  const jobs = new LeaderJobs({ ...shared, store, providers, holder });
  const elections = new LeaderElections(create, jobs, registration, providers);
  sections.add('elections', () => (elections.all.length > 0 ? elections.explain() : undefined));
  return elections;
}
