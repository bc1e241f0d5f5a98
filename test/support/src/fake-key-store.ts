export interface FakeEntry {
  readonly key: string;
  readonly value: Buffer;
  readonly flags: number;
  readonly session: string | undefined;
  readonly modifyIndex: number;
}

export interface FakeCall {
  readonly name: string;
  /** A key, a prefix, or the id of a session. */
  readonly of: string;
  readonly options: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly Verb: string;
  readonly Key: string;
  readonly Value?: string;
  readonly Flags?: number | bigint;
  readonly Session?: string;
  readonly Index?: number;
}

type Options = Readonly<Record<string, unknown>>;

/** The keys and sessions of Consul in memory, as its client has them, for what locks and sessions do with them. */
export class FakeKeyStore {
  readonly entries = new Map<string, FakeEntry>();
  readonly sessions = new Map<string, Readonly<Record<string, unknown>>>();
  readonly calls: FakeCall[] = [];
  /** Called before each request: it may reject, or change what is there. */
  before: (call: FakeCall) => unknown = () => undefined;
  readonly blockingQueryLimit = 10;
  readonly #gone: (session: string) => Error;
  #index = 10;
  #opened = 0;

  readonly session = {
    create: async (definition: Readonly<Record<string, unknown>> = {}): Promise<string> => {
      await this.#asked('create', String(definition.Name));
      const id = `s${++this.#opened}`;
      this.sessions.set(id, definition);
      return id;
    },
    renew: async (id: string, options: Options = {}): Promise<{ TTL?: string }> => {
      await this.#asked('renew', id, options);
      if (!this.sessions.has(id)) throw this.#gone(id);
      return {};
    },
    destroy: async (id: string, options: Options = {}): Promise<void> => {
      await this.#asked('destroy', id, options);
      this.end(id);
    },
    info: async (id: string, options: Options = {}): Promise<{ body: unknown }> => {
      await this.#asked('info', id, options);
      return { body: this.sessions.has(id) ? { ID: id, Node: 'node', ...this.sessions.get(id) } : undefined };
    },
  };

  readonly kv = {
    get: async (key: string, options: Options = {}): Promise<{ body: FakeEntry | undefined }> => {
      await this.#asked('get', key, options);
      return { body: this.entries.get(key) };
    },
    list: async (prefix: string, options: Options = {}): Promise<{ body: readonly FakeEntry[] }> => {
      await this.#asked('list', prefix, options);
      return { body: [...this.entries.values()].filter(({ key }) => key.startsWith(prefix)) };
    },
    put: async (key: string, value: string | Uint8Array, options: Options = {}): Promise<boolean> => {
      await this.#asked('put', key, options);
      if (options.cas !== undefined && options.cas !== (this.entries.get(key)?.modifyIndex ?? 0))
        return false;
      this.set(key, value, { flags: Number(options.flags ?? 0) });
      return true;
    },
    delete: async (key: string, options: Options = {}): Promise<boolean> => {
      await this.#asked('delete', key, options);
      if (options.cas !== undefined && options.cas !== this.entries.get(key)?.modifyIndex) return false;
      this.entries.delete(key);
      return true;
    },
  };

  readonly txn = {
    commit: async (
      operations: readonly { readonly KV: Operation }[],
      options: Options = {},
    ): Promise<unknown> => {
      await this.#asked('commit', operations.map(({ KV }) => `${KV.Verb} ${KV.Key}`).join(', '), options);
      const errors = operations.flatMap(({ KV }, OpIndex) => {
        const What = this.#refusalOf(KV);
        return What === undefined ? [] : [{ OpIndex, What }];
      });
      if (errors.length > 0) return { committed: false, results: [], errors };
      return { committed: true, errors, results: operations.flatMap(({ KV }) => this.#do(KV)) };
    },
  };

  /** @param gone the error of a renewal of a session that is not there */
  constructor(gone: (session: string) => Error) {
    this.#gone = gone;
  }

  /** What was asked, without the renewals: `get a`. */
  get asked(): readonly string[] {
    return this.calls.flatMap(({ name, of }) => (name === 'renew' ? [] : [`${name} ${of}`]));
  }

  set(key: string, value: string | Uint8Array, more: Partial<FakeEntry> = {}): void {
    const held = { flags: 0, session: this.entries.get(key)?.session, ...more };
    this.entries.set(key, { key, value: Buffer.from(value), ...held, modifyIndex: ++this.#index });
  }

  /** The session is gone, and so are its keys, or its locks. */
  end(id: string): void {
    const isDelete = this.sessions.get(id)?.Behavior === 'delete';
    this.sessions.delete(id);
    for (const [key, entry] of this.entries) {
      if (entry.session !== id) continue;
      if (isDelete) this.entries.delete(key);
      else this.entries.set(key, { ...entry, session: undefined });
    }
  }

  async #asked(name: string, of: string, options: Options = {}): Promise<void> {
    const call = { name, of, options };
    this.calls.push(call);
    await this.before(call);
  }

  #refusalOf({ Verb, Key, Session, Index }: Operation): string | undefined {
    const present = this.entries.get(Key);
    switch (Verb) {
      case 'lock':
        if (!this.sessions.has(Session ?? '')) return `invalid session "${Session}"`;
        return present?.session !== undefined && present.session !== Session
          ? `failed to lock key "${Key}", lock is already held`
          : undefined;
      case 'check-session':
        return present?.session === Session ? undefined : `failed session check for key "${Key}"`;
      case 'check-index':
      case 'cas':
        return (present?.modifyIndex ?? 0) === Index ? undefined : `key "${Key}" has a stale index`;
      case 'check-not-exists':
        return present ? `key "${Key}" exists` : undefined;
      default:
        return undefined;
    }
  }

  #do({ Verb, Key, Value, Flags, Session }: Operation): unknown[] {
    if (Verb === 'delete') this.entries.delete(Key);
    if (Value !== undefined)
      this.set(Key, Buffer.from(Value, 'base64'), {
        flags: Number(Flags ?? 0),
        ...(Session === undefined ? {} : { session: Session }),
      });
    const entry = this.entries.get(Key);
    return entry ? [{ KV: { ...entry, Key, Flags: entry.flags, ModifyIndex: entry.modifyIndex } }] : [];
  }
}
