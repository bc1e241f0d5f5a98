import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { EtcdMembers } from '../etcd-members.js';
import type { EtcdWatchBatch } from './watch-stream.js';
import { WatchStream } from './watch-stream.js';

interface Request {
  readonly create_request?: { readonly start_revision: string; readonly watch_id: string };
  readonly progress_request?: object;
}

/** A member that answers progress requests by the rule of etcd#20229: not while a watch begins after its revision. */
class Member extends EventEmitter {
  revision = 7;
  readonly starts: number[] = [];

  write({ create_request: create, progress_request: progress }: Request): void {
    if (create) {
      this.starts.push(Number(create.start_revision));
      this.#respond({ watch_id: create.watch_id, created: true });
    }
    if (progress && this.starts.every((start) => start <= this.revision)) this.#respond({ watch_id: '-1' });
  }

  put(watchId: string, revision: number): void {
    this.revision = Math.max(this.revision, revision);
    const kv = {
      key: Buffer.from('a'),
      value: Buffer.from(String(revision)),
      mod_revision: String(revision),
    };
    const whole = { ...kv, create_revision: '1', version: '1', lease: '0' };
    this.#respond({ watch_id: watchId, events: [{ type: 'PUT', kv: whole }] });
  }

  /** What no etcd says. */
  putNothing(watchId: string): void {
    this.#respond({ watch_id: watchId, events: [{ type: 'PUT', kv: null }] });
  }

  cancel(): void {
    this.removeAllListeners();
  }

  #respond(response: object): void {
    const whole = { created: false, canceled: false, compact_revision: '0', cancel_reason: '', events: [] };
    const header = { revision: String(this.revision) };
    this.emit('data', { ...whole, header, ...response });
  }
}

describe('WatchStream', () => {
  let ending: AbortController;
  beforeEach(() => {
    ending = new AbortController();
  });
  afterEach(() => ending.abort());

  const followed = async (from: bigint) => {
    const clock = new FakeClock();
    const member = new Member();
    const open = async () => ({ stream: member, connection: { target: 'etcd-1' } });
    const members = { open, leave: () => undefined, forgetToken: () => false };
    const watches = new WatchStream(members as unknown as EtcdMembers, clock);
    const seen: EtcdWatchBatch[] = [];
    let error: unknown;
    const follow = async (): Promise<void> => {
      for await (const batch of watches.watch({ prefix: 'a' }, from, ending.signal)) seen.push(batch);
    };
    follow().catch((reason: unknown) => (error = reason));
    await settle();
    return { clock, member, seen, error: () => error };
  };

  it('lives where nothing changes, although it follows a read, and yields only what came after that', async () => {
    const { clock, member, seen, error } = await followed(8n);
    for (let n = 0; n < 20; n++) await clock.advance(2_000);
    expect(error()).toBeUndefined();
    // A watch that begins at the read is told of its last change again.
    member.put('1', 7);
    member.put('1', 8);
    await settle();
    expect(seen.flatMap(({ events }) => events.map(({ modRevision }) => modRevision))).toEqual([8n]);
  });

  it('ends with an error that says so where an event names no key', async () => {
    const { member, error } = await followed(8n);
    member.putNothing('1');
    await settle();
    expect(error()).toMatchObject({ code: 'RK_REGISTRY_BAD_RESPONSE' });
    expect(String(error())).toContain('an event of a watch names no key');
  });

  it('ends where the member says nothing at all', async () => {
    const { clock, member, error } = await followed(8n);
    member.revision = 1;
    for (let n = 0; n < 3; n++) await clock.advance(2_000);
    expect(String(error())).toContain('no sign of life for 2000 ms');
  });
});
