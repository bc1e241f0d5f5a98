import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle, thrownBy } from '@rookery/test-support';
import type { EtcdMembers } from '../etcd-members.js';
import { KeepAliveStream } from './keep-alive-stream.js';

describe('KeepAliveStream', () => {
  let clock: FakeClock;
  let streams: (EventEmitter & { readonly sent: string[] })[];
  let left: number;
  let keepAlives: KeepAliveStream;
  const answer = (id: string): unknown => streams.at(-1)?.emit('data', { ID: id, TTL: '10' });

  beforeEach(() => {
    clock = new FakeClock();
    streams = [];
    left = 0;
    const connection = { target: 'etcd' };
    const open = async (): Promise<object> => {
      const sent: string[] = [];
      const write = ({ ID }: { ID: string }): unknown => sent.push(ID);
      const stream = Object.assign(new EventEmitter(), { sent, write, cancel: () => undefined });
      streams.push(stream);
      return { stream, connection };
    };
    const members = { open, current: connection, leave: () => left++, forgetToken: () => false };
    keepAlives = new KeepAliveStream(members as unknown as EtcdMembers, clock, 5_000);
  });

  it('lets one caller give up without the others, and keeps the order of the answers', async () => {
    const impatient = thrownBy(() => keepAlives.send(1n, 1_250));
    const patient = keepAlives.send(2n, 5_000);
    const other = keepAlives.send(3n, 5_000);
    await settle();
    await clock.advance(1_000);
    answer('3');
    expect(await other).toBe(10);
    await clock.advance(250);
    expect(await impatient).toMatchObject({ code: 'RK_REGISTRY_TIMEOUT' });
    const again = keepAlives.send(1n, 1_250);
    await settle();
    answer('1');
    let isAnswered = false;
    void again.then(() => (isAnswered = true));
    await settle();
    // That was the answer to the first.
    expect(isAnswered).toBe(false);
    answer('1');
    answer('2');
    expect(await Promise.all([again, patient])).toEqual([10, 10]);
    expect([streams.length, left]).toEqual([1, 0]);
  });

  it('leaves a member that has said nothing for twice as long as a caller waits, or nothing at all', async () => {
    const first = thrownBy(() => keepAlives.send(1n, 1_250));
    await settle();
    await clock.advance(1_250);
    expect(await first).toMatchObject({ code: 'RK_REGISTRY_TIMEOUT' });
    expect(left).toBe(1);
    const second = keepAlives.send(1n, 1_250);
    await settle();
    answer('1');
    expect(await second).toBe(10);
    await clock.advance(1_250);
    const silent = thrownBy(() => keepAlives.send(1n, 1_250));
    const beside = thrownBy(() => keepAlives.send(2n, 5_000));
    await settle();
    await clock.advance(1_250);
    expect(await Promise.all([silent, beside])).toEqual([
      expect.objectContaining({ code: 'RK_REGISTRY_TIMEOUT' }),
      expect.objectContaining({ code: 'RK_REGISTRY_TIMEOUT' }),
    ]);
    expect([streams.length, left]).toEqual([2, 2]);
  });
});
