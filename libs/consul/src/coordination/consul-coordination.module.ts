import { Global, Module, type DynamicModule } from '@nestjs/common';
import { RegistrationService } from '@rookery/discovery';
import { CoordinationModule, sessionOwner, systemClock, type Coordination } from '@rookery/discovery/adapter';
import { ConsulClient } from '../client/consul-client.js';
import { ConsulKv } from '../kv/consul-kv.js';
import { ConsulCoordinationStore } from './consul-coordination.store.js';
import {
  resolveConsulLockOptions,
  type ConsulLockOptions,
  type ResolvedConsulLockOptions,
} from './lock-options.js';
import { ConsulSession } from './presence/consul-session.js';
import { openSession } from './session/open-session.js';
import { sessionChecks } from './session/session-checks.js';

const LOCK_OPTIONS = Symbol.for('rookery:lock-options');

@Global()
@Module({})
class LockOptionsModule {}

/** Locks, semaphores, elections and ephemeral keys. */
@Global()
@Module({})
export class ConsulCoordinationModule {
  /** @param options the token of the options of `ConsulModule` */
  static on(options: symbol): DynamicModule {
    const resolved: DynamicModule = {
      module: LockOptionsModule,
      providers: [
        {
          provide: LOCK_OPTIONS,
          useFactory: ({ locks }: { locks?: ConsulLockOptions }) => resolveConsulLockOptions(locks),
          inject: [options],
        },
      ],
      exports: [LOCK_OPTIONS],
    };
    const coordination = CoordinationModule.on({
      imports: [resolved],
      useFactory: coordinationOn,
      inject: [ConsulClient, ConsulKv, LOCK_OPTIONS, RegistrationService],
    });
    return {
      module: ConsulCoordinationModule,
      imports: [resolved, coordination],
      providers: [
        {
          provide: ConsulSession,
          useFactory: createSession,
          inject: [ConsulClient, ConsulKv, LOCK_OPTIONS, RegistrationService],
        },
      ],
      exports: [coordination, ConsulSession],
    };
  }
}

function coordinationOn(
  client: ConsulClient,
  kv: ConsulKv,
  options: ResolvedConsulLockOptions,
  registration: RegistrationService,
): Coordination {
  const { ttlMs, lockDelayMs, checks } = options;
  const store = new ConsulCoordinationStore({
    client,
    kv,
    openSession: async (name, behavior, leaseOptions) => {
      const ids = await sessionChecks(client, checks, registration.instance.id);
      return openSession(client.session, { name, ttlMs, lockDelayMs, behavior, checks: ids }, leaseOptions);
    },
  });
  // Without the service its checks are gone, and with them every session.
  return { store, options, endsWithRegistration: checks === 'service' };
}

function createSession(
  client: ConsulClient,
  kv: ConsulKv,
  { ttlMs, checks }: ResolvedConsulLockOptions,
  registration: RegistrationService,
): ConsulSession {
  return new ConsulSession(client, kv, {
    clock: systemClock,
    random: Math.random,
    spec: async () => ({
      name: `keys of ${sessionOwner(registration)}`,
      ttlMs,
      // Nothing is protected by it: the next process writes its key as soon as this one is gone.
      lockDelayMs: 0,
      behavior: 'delete',
      checks: await sessionChecks(client, checks, registration.instance.id),
    }),
  });
}
