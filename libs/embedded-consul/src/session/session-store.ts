import type { IndexBook } from '../state/index-book.js';
import type { ControllableClock } from '../time/controllable-clock.js';

export interface SessionRecord {
  readonly id: string;
  readonly name: string;
  readonly node: string;
  readonly lockDelayMs: number;
  readonly behavior: 'release' | 'delete';
  readonly ttl: string;
  readonly ttlMs: number;
  readonly nodeChecks: readonly string[];
  readonly serviceChecks: readonly { ID: string; Namespace: string }[] | null;
  readonly createIndex: number;
}

export const SESSIONS = 'sessions';

/** Sessions and their timers: a session expires at twice its TTL, as in Consul. */
export class SessionStore {
  readonly #sessions = new Map<string, SessionRecord>();
  readonly #timers = new Map<string, () => void>();

  constructor(
    private readonly indexes: IndexBook,
    private readonly clock: ControllableClock,
    /** Releases or deletes its locks. */
    private readonly onEnd: (session: SessionRecord) => void,
  ) {}

  clear(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#sessions.clear();
  }

  get(id: string): SessionRecord | undefined {
    return this.#sessions.get(id);
  }

  list(): SessionRecord[] {
    return [...this.#sessions.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  create(session: Omit<SessionRecord, 'createIndex'>): void {
    const index = this.indexes.next();
    this.#sessions.set(session.id, { ...session, createIndex: index });
    this.renew(session.id);
    this.indexes.changed(index, [SESSIONS]);
  }

  /** Restarts its TTL; false: no such session. */
  renew(id: string): boolean {
    const session = this.#sessions.get(id);
    if (!session) return false;
    this.#timers.get(id)?.();
    if (session.ttlMs > 0)
      this.#timers.set(
        id,
        this.clock.after(session.ttlMs * 2, () => this.end(id)),
      );
    return true;
  }

  end(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#timers.get(id)?.();
    this.#timers.delete(id);
    this.#sessions.delete(id);
    const index = this.indexes.next();
    this.onEnd(session);
    this.indexes.changed(index, [SESSIONS]);
  }

  /** Ends the sessions that depend on this node, or on this check of it. */
  endThoseOf({ node, check }: { node: string; check?: string }): void {
    for (const session of this.list()) {
      if (session.node !== node) continue;
      const hangs =
        check === undefined ||
        session.nodeChecks.includes(check) ||
        (session.serviceChecks ?? []).some(({ ID }) => ID === check);
      if (hangs) this.end(session.id);
    }
  }
}

export function renderSession(session: SessionRecord): Record<string, unknown> {
  return {
    ID: session.id,
    Name: session.name,
    Node: session.node,
    LockDelay: session.lockDelayMs * 1e6,
    Behavior: session.behavior,
    TTL: session.ttl,
    NodeChecks: session.nodeChecks,
    ServiceChecks: session.serviceChecks,
    CreateIndex: session.createIndex,
    ModifyIndex: session.createIndex,
  };
}
