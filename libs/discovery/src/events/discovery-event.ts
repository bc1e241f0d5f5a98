interface OfRegistration {
  /** Instance id. */
  readonly id: string;
  readonly service: string;
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
  | { readonly type: 'registry.reachable'; readonly after: number };

export type DiscoveryEventType = DiscoveryEvent['type'];
