interface RegistrationScope {
  /** Instance id. */
  readonly id: string;
  readonly service: string;
  /** Where it is registered, for messages. */
  readonly registry: string;
}

interface ListScope {
  readonly service: string;
  /** Which list of the service, where there are several: its datacenter, its registry, its filter. */
  readonly list: string;
}

interface TargetScope {
  readonly service: string;
  /** Instance id. */
  readonly id: string;
  readonly address: string;
}

interface LockScope {
  /** The key in the registry, or the prefix of a semaphore. */
  readonly key: string;
}

/** What happens to this app's registration and to the services it calls; discriminated by `type`. */
export type DiscoveryEvent =
  /** Registered for the first time since the app started, or since `register()`. */
  | ({ readonly type: 'registration.registered' } & RegistrationScope)
  /** It cannot be registered yet, since the app is not ready; once for each reason. */
  | ({ readonly type: 'registration.notReady'; readonly reason: string } & RegistrationScope)
  /** The registry cannot be asked or told of it; `isRetryable` is false where that needs manual action. It is retried in any case. */
  | ({
      readonly type: 'registration.failed';
      readonly reason: string;
      readonly isRetryable: boolean;
    } & RegistrationScope)
  /** The registry lost the registration, or holds something else under its id; it is being repaired. */
  | ({
      readonly type: 'registration.lost';
      readonly reason: string;
      /** Another writer keeps undoing it, which `registration.contested` has told. */
      readonly isContested: boolean;
    } & RegistrationScope)
  /** The registration is repaired, `afterMs` after its loss was seen. */
  | ({
      readonly type: 'registration.restored';
      readonly reason: string;
      readonly afterMs: number;
      readonly isContested: boolean;
    } & RegistrationScope)
  /** It was registered again, since the registry keeps the token of a registration and the token has changed. */
  | ({ readonly type: 'registration.refreshed' } & RegistrationScope)
  /** Another writer keeps undoing the registration; it is repaired less often from now on. */
  | ({
      readonly type: 'registration.contested';
      readonly reason: string;
      readonly repairs: number;
    } & RegistrationScope)
  /** Another live instance owns the id, or the id of a check: this app is not registered. */
  | ({ readonly type: 'registration.conflict'; readonly reason: string } & RegistrationScope)
  /** It was removed from the registry, since the app ends, or on request. */
  | ({ readonly type: 'registration.deregistered' } & RegistrationScope)
  /** It stays listed until its check fails, if `wasRegistered`. */
  | ({
      readonly type: 'registration.deregistrationFailed';
      readonly reason: string;
      readonly wasRegistered: boolean;
    } & RegistrationScope)
  /** The app, or one of its services, is put into maintenance, by itself or by an operator in the registry, or taken out of it. */
  | {
      readonly type: 'maintenance.started';
      /** Undefined: all services of the app. */
      readonly service: string | undefined;
      readonly reason: string;
    }
  | { readonly type: 'maintenance.ended'; readonly service: string | undefined }
  /** With `heartbeat: 'worker-thread'`: the app's event loop was blocked for `lagMs`, more than 3 s; meanwhile the heartbeat told the registry, for up to `maxStall`. */
  | ({ readonly type: 'heartbeat.stalled'; readonly lagMs: number } & RegistrationScope)
  /** Heartbeats of a TTL check do not arrive, though the registration is there. */
  | ({ readonly type: 'heartbeat.failed'; readonly reason: string } & RegistrationScope)
  | ({ readonly type: 'heartbeat.recovered' } & RegistrationScope)
  /** The app is healthy, but the registry lists it as critical: what its failing checks say, and the likely cause. */
  | ({ readonly type: 'check.failed'; readonly reason: string; readonly cause: string } & RegistrationScope)
  | ({ readonly type: 'check.recovered' } & RegistrationScope)
  /** A contributor to health says something else than before: `from` and `to` are `up`, `degraded` or `down`. */
  | {
      readonly type: 'health.changed';
      /** Its key in the result. */
      readonly name: string;
      readonly from: string;
      readonly to: string;
      readonly reason: string | undefined;
    }
  /** Requests to the registry get no answer, those of a registration or of a list of services; and all of them do again. */
  | { readonly type: 'registry.unreachable'; readonly reason: string }
  | { readonly type: 'registry.reachable'; readonly afterMs: number }
  /** Requests go to another agent, since this one cannot be used; without a reason: it is back. */
  | {
      readonly type: 'registry.switched';
      readonly from: string;
      readonly to: string;
      readonly reason: string | undefined;
    }
  /** The list of a service has a new instance, or one less. */
  | ({
      readonly type: 'instance.added' | 'instance.removed';
      readonly id: string;
      readonly address: string;
    } & ListScope)
  /** The checks of an instance changed its status. */
  | ({
      readonly type: 'instance.status';
      readonly id: string;
      readonly from: string;
      readonly to: string;
    } & ListScope)
  /** The registry lists an instance that is left out, because no call could be made to it. */
  | ({ readonly type: 'instance.invalid'; readonly id: string; readonly reason: string } & ListScope)
  /** No usable instance is left; and the first one is usable again. */
  | ({ readonly type: 'service.unavailable' } & ListScope)
  | ({ readonly type: 'service.available'; readonly instances: number } & ListScope)
  /** An update removes so many instances that it may be wrong: they stay in use until it is confirmed or rejected. */
  | ({
      readonly type: 'list.suspect';
      readonly missing: readonly string[];
      readonly reason: string;
    } & ListScope)
  /** The suspicious update was right: these instances are removed. */
  | ({
      readonly type: 'list.confirmed';
      readonly removed: readonly string[];
      readonly reason: string;
      readonly afterMs: number;
    } & ListScope)
  /** The suspicious update was wrong: the registry lists these instances again. */
  | ({
      readonly type: 'list.rejected';
      readonly returned: readonly string[];
      readonly reason: string;
      readonly afterMs: number;
    } & ListScope)
  /** The list cannot be updated, and the last known one stays in use; and it is up to date again. */
  | ({ readonly type: 'list.stale'; readonly reason: string } & ListScope)
  | ({ readonly type: 'list.recovered'; readonly afterMs: number } & ListScope)
  /** The result of probing an instance while the registry is unreachable. */
  | ({
      readonly type: 'instance.unreachable' | 'instance.reachable';
      readonly id: string;
      readonly reason: string;
    } & ListScope)
  /** Outlier detection: calls to the instance fail, and it gets none for `durationMs`. */
  | ({
      readonly type: 'instance.ejected';
      readonly reason: string;
      readonly durationMs: number;
    } & TargetScope)
  /** It gets calls again. */
  | ({ readonly type: 'instance.unejected'; readonly reason: string; readonly afterMs: number } & TargetScope)
  /** The registry lists the instance, but it refuses connections: a dead host, or a registration that was never removed. */
  | ({ readonly type: 'instance.ghost'; readonly reason: string } & TargetScope)
  /** Panic threshold: so few instances are available that ejected ones are used too; and enough are available again. */
  | {
      readonly type: 'service.panic' | 'service.panicEnded';
      readonly service: string;
      readonly available: number;
      readonly instances: number;
    }
  /** A custom strategy threw, and an instance was picked without it; emitted once for each service and query. */
  | {
      readonly type: 'strategy.failed';
      readonly service: string;
      readonly strategy: string;
      readonly reason: string;
    }
  /** A custom `isFailure` threw, and attempts over gRPC are judged by the default rule then; emitted once for each client. */
  | { readonly type: 'failureRule.failed'; readonly service: string; readonly reason: string }
  /** The circuit breaker refuses calls for `durationMs`, since most recent ones failed; and it is closed again. */
  | {
      readonly type: 'circuit.opened';
      readonly service: string;
      readonly reason: string;
      readonly durationMs: number;
    }
  | { readonly type: 'circuit.closed'; readonly service: string }
  /** Failed calls are not retried, since the retry budget is empty; and it is not empty any more. */
  | { readonly type: 'retryBudget.exhausted' | 'retryBudget.available'; readonly service: string }
  /** The bulkhead rejects calls: `limit` of them are in flight, and its queue is full; and it has room again. */
  | {
      readonly type: 'bulkhead.full' | 'bulkhead.available';
      readonly service: string;
      readonly limit: number;
    }
  /** This app refuses requests, since it has more than it can answer: `limit` at a time; and it refuses none any more, after `refused` of them. */
  | { readonly type: 'shedding.started'; readonly limit: number }
  | { readonly type: 'shedding.ended'; readonly refused: number }
  /** Calls go to another datacenter, or to another registry; and back. */
  | {
      readonly type: 'service.failover';
      readonly service: string;
      readonly from: string;
      readonly to: string;
      readonly reason: string;
    }
  /** A list was loaded from disk, `ageMs` after it was last confirmed; or a file could not be used. */
  | ({ readonly type: 'snapshot.restored'; readonly instances: number; readonly ageMs: number } & ListScope)
  | { readonly type: 'snapshot.failed'; readonly file: string; readonly reason: string }
  /** Live configuration: a new version is in use, with the paths of the values that changed. */
  | { readonly type: 'config.changed'; readonly version: number; readonly paths: readonly string[] }
  /** The content of a key cannot be used, and the last good values stay in use; and it can be used again. */
  | { readonly type: 'config.invalid'; readonly key: string; readonly reason: string }
  | { readonly type: 'config.valid'; readonly key: string }
  /** Keys below this path are gone, which may be wrong: they stay in use until it is confirmed or rejected. */
  | {
      readonly type: 'config.suspect';
      readonly path: string;
      readonly missing: number;
      readonly reason: string;
    }
  /** The keys were deleted, and are no longer in use. */
  | {
      readonly type: 'config.confirmed';
      readonly path: string;
      readonly removed: number;
      readonly reason: string;
    }
  /** The keys are back. */
  | { readonly type: 'config.rejected'; readonly path: string }
  /** The configuration cannot be watched, and its last version stays in use; and it is up to date again. */
  | { readonly type: 'config.stale'; readonly path: string; readonly reason: string }
  | { readonly type: 'config.recovered'; readonly afterMs: number }
  /** This process holds the lock, or a permit of the semaphore, after it waited for `waitedMs`. */
  | ({
      readonly type: 'lock.acquired';
      readonly fence: number;
      readonly waitedMs: number;
    } & LockScope)
  /** It was released. */
  | ({ readonly type: 'lock.released'; readonly fence: number; readonly heldMs: number } & LockScope)
  /** It is not, or may no longer be, held: its `signal` has aborted. */
  | ({
      readonly type: 'lock.lost';
      readonly fence: number;
      readonly reason: string;
      readonly heldMs: number;
    } & LockScope)
  /** It is held for longer than its `warnAfter`. */
  | ({
      readonly type: 'lock.overdue';
      readonly fence: number;
      readonly heldMs: number;
      readonly waiters: number;
    } & LockScope)
  /** Renewals of its session fail: without one that succeeds it is lost in `remainingMs`. */
  | ({
      readonly type: 'lock.doubtful';
      readonly reason: string;
      readonly remainingMs: number;
    } & LockScope)
  /** This process leads, or no longer does. */
  | ({ readonly type: 'leader.elected'; readonly fence: number } & LockScope)
  | ({ readonly type: 'leader.resigned'; readonly ledMs: number } & LockScope)
  | ({ readonly type: 'leader.lost'; readonly reason: string; readonly ledMs: number } & LockScope)
  /** A job that runs where the leader is was not run at these many ticks of its schedule. */
  | ({
      readonly type: 'schedule.missed';
      readonly job: string;
      readonly ticks: number;
      readonly reason: string;
    } & LockScope)
  /** A rule of the alerts has found something wrong for long enough; and it is no longer wrong. */
  | {
      readonly type: 'alert.firing' | 'alert.resolved';
      readonly name: string;
      readonly severity: string;
      readonly summary: string;
      readonly labels: Readonly<Record<string, string>>;
    }
  /** Alerts that a sink does not take are kept; these many, the oldest, could not be kept any longer. */
  | { readonly type: 'alert.dropped'; readonly sink: string; readonly count: number };

export type DiscoveryEventType = DiscoveryEvent['type'];

/** An event, when it happened, and which one it is. */
export type TimedDiscoveryEvent<E extends DiscoveryEvent = DiscoveryEvent> = E & {
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** 1 for the first event of this process, then one more with each. */
  readonly sequence: number;
};
