import { Global, Module, type DynamicModule } from '@nestjs/common';
import { DiscoveryModule as ProviderScannerModule, DiscoveryService as ProviderScanner } from '@nestjs/core';
import { DiscoveryError, DiscoveryEvents, RegistrationService } from '@rookery/discovery';
import { AlertClaims, DiscoverySections, HealthContributors, systemClock } from '@rookery/discovery/adapter';
import { ConsulClient } from '../client/consul-client.js';
import { ConsulKv } from '../kv/consul-kv.js';
import { sessionChecks } from './session/session-checks.js';
import { LockTable } from './contention/lock-table.js';
import { LeaderElection } from './election/leader-election.js';
import { LeaderElections } from './election/leader-elections.js';
import { LeaderJobs } from './election/leader-jobs.js';
import { explainContention } from './lock/explain-lock.js';
import { KeyLock } from './lock/key-lock.js';
import { thisHolder, type LockHolder } from './lock/lock-holder.js';
import { LockService } from './lock/lock.service.js';
import { lockHealth } from './lock-health.js';
import { resolveLockOptions, type LockOptions, type ResolvedLockOptions } from './lock-options.js';
import { LockedAlertClaims } from './lock/locked-alert-claims.js';
import { ConsulSession } from './presence/consul-session.js';

const LOCK_OPTIONS = Symbol.for('rookery:lock-options');

/** Locks, semaphores, elections and ephemeral keys. */
@Global()
@Module({})
export class CoordinationModule {
  /** @param options the token of the options of `ConsulModule` */
  static on(options: symbol): DynamicModule {
    return {
      module: CoordinationModule,
      imports: [ProviderScannerModule],
      providers: [
        {
          provide: LOCK_OPTIONS,
          useFactory: ({ locks }: { locks?: LockOptions }) => resolveLockOptions(locks),
          inject: [options],
        },
        {
          provide: LockTable,
          useFactory: createTable,
          inject: [
            ConsulClient,
            ConsulKv,
            LOCK_OPTIONS,
            RegistrationService,
            DiscoveryEvents,
            HealthContributors,
            DiscoverySections,
          ],
        },
        {
          provide: LockService,
          useFactory: (
            client: ConsulClient,
            kv: ConsulKv,
            table: LockTable,
            registration: RegistrationService,
          ) => new LockService(client, kv, table, holderOf(registration)),
          inject: [ConsulClient, ConsulKv, LockTable, RegistrationService],
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
            ConsulClient,
            ConsulKv,
            LockTable,
            LOCK_OPTIONS,
            RegistrationService,
            DiscoveryEvents,
            ProviderScanner,
            DiscoverySections,
          ],
        },
        {
          provide: ConsulSession,
          useFactory: createSession,
          inject: [ConsulClient, ConsulKv, LOCK_OPTIONS, RegistrationService],
        },
      ],
      exports: [AlertClaims, LockService, LeaderElections, ConsulSession],
    };
  }
}

function holderOf(registration: RegistrationService): () => LockHolder {
  return () => thisHolder(registration.instance);
}

/** What the sessions of this process are called. */
function ownerOf({ instance: { id, service } }: RegistrationService): string {
  return id ?? `${service ?? 'an app'}, pid ${process.pid}`;
}

function createTable(
  client: ConsulClient,
  kv: ConsulKv,
  options: ResolvedLockOptions,
  registration: RegistrationService,
  events: DiscoveryEvents,
  health: HealthContributors,
  sections: DiscoverySections,
): LockTable {
  const table: LockTable = new LockTable(options, {
    clock: systemClock,
    random: Math.random,
    sessions: client.session,
    kv,
    owner: () => ownerOf(registration),
    checks: () => sessionChecks(client, options.checks, registration.instance.id),
    emit: (event) => events.emit(event),
    onFirstUse: () => {
      health.add(lockHealth(table));
      sections.add('locks', () => table.contentions.map(explainContention));
    },
  });
  if (options.checks === 'service') {
    // Without the service its checks are gone, and with them every session: others would wait for the lock-delay.
    const left = new DiscoveryError('RK_LOCK_LOST', 'the app leaves Consul, and its checks end its locks');
    registration.beforeLeaving(() => table.releaseAll(left));
  }
  return table;
}

function createElections(
  client: ConsulClient,
  kv: ConsulKv,
  table: LockTable,
  { shutdownTimeoutMs }: ResolvedLockOptions,
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
    new LeaderElection(new KeyLock(key, client, kv, holder), { ...shared, table, shutdownTimeoutMs });
  const jobs = new LeaderJobs({ ...shared, kv, providers, holder });
  const elections = new LeaderElections(create, jobs, registration, providers);
  sections.add('elections', () => (elections.all.length > 0 ? elections.explain() : undefined));
  return elections;
}

function createSession(
  client: ConsulClient,
  kv: ConsulKv,
  { ttlMs, checks }: ResolvedLockOptions,
  registration: RegistrationService,
): ConsulSession {
  return new ConsulSession(client, kv, {
    clock: systemClock,
    random: Math.random,
    spec: async () => ({
      name: `keys of ${ownerOf(registration)}`,
      ttlMs,
      // Nothing is protected by it: the next process writes its key as soon as this one is gone.
      lockDelayMs: 0,
      behavior: 'delete',
      checks: await sessionChecks(client, checks, registration.instance.id),
    }),
  });
}
