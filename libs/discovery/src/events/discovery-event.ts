interface OfRegistration {
  /** Instance id. */
  readonly id: string;
  readonly service: string;
}

interface OfList {
  readonly service: string;
  /** Which list of the service, where there are several: its datacenter, its registry, its filter. */
  readonly list: string;
}

interface OfTarget {
  readonly service: string;
  /** Instance id. */
  readonly id: string;
  readonly address: string;
}

/** What happens to this app and to what it sees; told apart by `type`. Durations are milliseconds. */
export type DiscoveryEvent =
  /** The registry has us for the first time since the app started, or since `register()`. */
  | ({ readonly type: 'registration.registered' } & OfRegistration)
  /** The registry does not have us, or has something else under our id; it is being repaired. */
  | ({ readonly type: 'registration.lost'; readonly reason: string } & OfRegistration)
  /** It is repaired. */
  | ({
      readonly type: 'registration.restored';
      readonly reason: string;
      readonly after: number;
    } & OfRegistration)
  /** Somebody undoes our registration again and again; it is repaired less often from now on. */
  | ({
      readonly type: 'registration.contested';
      readonly reason: string;
      readonly repairs: number;
    } & OfRegistration)
  /** Another instance that answers owns our id, or a check of ours: we do not register. */
  | ({ readonly type: 'registration.conflict'; readonly reason: string } & OfRegistration)
  | ({ readonly type: 'registration.deregistered' } & OfRegistration)
  /** The app's event loop stood still for so long; its heartbeat told the registry. */
  | ({ readonly type: 'heartbeat.stalled'; readonly lag: number } & OfRegistration)
  /** Beats of a TTL check do not arrive, though the registration is there. */
  | ({ readonly type: 'heartbeat.failed'; readonly reason: string } & OfRegistration)
  | ({ readonly type: 'heartbeat.recovered' } & OfRegistration)
  /** Requests to the registry fail, for our registration's part. */
  | { readonly type: 'registry.unreachable'; readonly reason: string }
  | { readonly type: 'registry.reachable'; readonly after: number }
  | ({
      readonly type: 'instance.added' | 'instance.removed';
      readonly id: string;
      readonly address: string;
    } & OfList)
  | ({
      readonly type: 'instance.status';
      readonly id: string;
      readonly from: string;
      readonly to: string;
    } & OfList)
  /** No instance is left that may be used; the first one that may be used again. */
  | ({ readonly type: 'service.unavailable' } & OfList)
  | ({ readonly type: 'service.available'; readonly instances: number } & OfList)
  /** An answer leaves out so many that it may be wrong: those instances stay in use while it is looked into. */
  | ({ readonly type: 'list.suspect'; readonly missing: readonly string[]; readonly reason: string } & OfList)
  /** They are gone indeed. */
  | ({
      readonly type: 'list.believed';
      readonly dropped: readonly string[];
      readonly reason: string;
      readonly after: number;
    } & OfList)
  /** The registry lists them again: the answer was wrong. */
  | ({
      readonly type: 'list.dismissed';
      readonly returned: readonly string[];
      readonly reason: string;
      readonly after: number;
    } & OfList)
  /** The list cannot be brought up to date; the last one stays in use. And it is current again. */
  | ({ readonly type: 'list.stale'; readonly reason: string } & OfList)
  | ({ readonly type: 'list.current'; readonly after: number } & OfList)
  /** While the registry is away: what this app itself saw of an instance. */
  | ({
      readonly type: 'instance.avoided' | 'instance.answers';
      readonly id: string;
      readonly reason: string;
    } & OfList)
  /** Calls to it fail: it gets none for so many milliseconds. */
  | ({ readonly type: 'instance.ejected'; readonly reason: string; readonly for: number } & OfTarget)
  | ({ readonly type: 'instance.returned'; readonly reason: string; readonly after: number } & OfTarget)
  /** The registry lists it, and nothing is there: a dead host, or a registration that nobody took away. */
  | ({ readonly type: 'instance.ghost'; readonly reason: string } & OfTarget)
  /** So few instances are usable that the ejected ones are called as well; and enough again. */
  | {
      readonly type: 'service.panic' | 'service.calm';
      readonly service: string;
      readonly available: number;
      readonly instances: number;
    }
  /** A strategy of the user's own threw, and somebody was picked without it; told once for each service. */
  | {
      readonly type: 'strategy.failed';
      readonly service: string;
      readonly strategy: string;
      readonly reason: string;
    }
  /** Calls are refused without an attempt, since most of them failed of late; and made again. */
  | {
      readonly type: 'circuit.opened';
      readonly service: string;
      readonly reason: string;
      readonly for: number;
    }
  | { readonly type: 'circuit.closed'; readonly service: string }
  /** Calls go to another datacenter, or to another registry; and back. */
  | {
      readonly type: 'service.failover';
      readonly service: string;
      readonly from: string;
      readonly to: string;
      readonly reason: string;
    }
  /** A list was taken from disk, or a file was found that cannot be used. */
  | ({ readonly type: 'snapshot.restored'; readonly instances: number; readonly age: number } & OfList)
  | { readonly type: 'snapshot.failed'; readonly file: string; readonly reason: string };

export type DiscoveryEventType = DiscoveryEvent['type'];
