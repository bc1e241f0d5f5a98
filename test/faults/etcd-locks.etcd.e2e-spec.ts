import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DiscoveryEvents, EtcdModule, LeaderElections, LockService } from '@rookery/etcd';
import { EtcdServer, eventually, figure, thrownBy } from '@rookery/test-support';

const KEY = 'locks/ledger';

/** What is written with a fence, as a database would take it. */
class Ledger {
  readonly fences: number[] = [];
  inside = 0;
  overlaps = 0;
  refused = 0;

  write(fence: number): void {
    if (fence < (this.fences.at(-1) ?? 0)) this.refused++;
    else this.fences.push(fence);
  }
}

describe('locks on etcd under faults', () => {
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const startApp = async (endpoints: readonly string[]) => {
    class AppModule {}
    Module({ imports: [EtcdModule.forRoot({ endpoints, timeout: '1s' })] })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    cleanUps.push(() => app.close());
    const types: string[] = [];
    app.get(DiscoveryEvents).events$.subscribe(({ type }) => types.push(type));
    return { types, locks: app.get(LockService), elections: app.get(LeaderElections) };
  };

  it('five processes, and each member of a cluster killed in turn: never two inside, no lock lost, and all go on', async () => {
    const members = await EtcdServer.startMembers(3);
    cleanUps.push(() => Promise.all(members.map((member) => member.stop())));
    const urls = members.map(({ url }) => url);
    const apps = await Promise.all(
      Array.from({ length: 5 }, (_, n) => startApp([...urls.slice(n % 3), ...urls.slice(0, n % 3)])),
    );
    const ledger = new Ledger();
    const turns = apps.map(() => 0);
    const stopping = new AbortController();
    const failures: string[] = [];
    const loops = apps.map(async ({ locks }, n) => {
      while (!stopping.signal.aborted) {
        const turn = locks.withLock(
          KEY,
          async ({ fence }) => {
            if (++ledger.inside > 1) ledger.overlaps++;
            await sleep(5);
            ledger.write(fence);
            ledger.inside--;
            turns[n] = (turns[n] ?? 0) + 1;
          },
          { waitFor: '30s' },
        );
        await turn.catch((error: unknown) => failures.push(String(error)));
      }
    });
    let longestMs = 0;
    for (const member of members) {
      const before = [...turns];
      await eventually(() => turns.every((count, n) => count > (before[n] ?? 0)), { within: 30_000 });
      const wasLeader = await member.isLeader();
      const killedAt = performance.now();
      await member.kill();
      const killed = turns.reduce((sum, count) => sum + count);
      await eventually(() => turns.reduce((sum, count) => sum + count) > killed + 10, { within: 30_000 });
      if (wasLeader) longestMs = Math.max(longestMs, performance.now() - killedAt);
      await member.relaunch();
    }
    stopping.abort();
    await Promise.all(loops);
    figure(
      'locks on etcd',
      `${turns.join(', ')} turns of five processes, ${Math.round(longestMs)} ms without the killed leader until 10 more`,
    );
    expect(failures).toEqual([]);
    expect({ overlaps: ledger.overlaps, refused: ledger.refused }).toEqual({ overlaps: 0, refused: 0 });
    expect(apps.flatMap(({ types }) => types).filter((type) => type === 'lock.lost')).toEqual([]);
  }, 180_000);

  it('etcd comes back without its data: locks and leaders are lost, told, and there again', async () => {
    const server = await EtcdServer.start();
    cleanUps.push(() => server.stop());
    const { locks, elections, types } = await startApp([server.url]);
    const election = elections.of('leaders/ledger');
    await eventually(() => election.isLeader);
    const working = locks.withLock(KEY, async ({ signal }) => {
      await server.kill();
      server.wipe();
      await server.relaunch();
      await eventually(() => signal.aborted, { within: 20_000 });
    });
    expect(await thrownBy(() => working)).toMatchObject({ code: 'RK_LOCK_LOST' });
    // Each lease finds out for itself.
    await eventually(() => types.includes('leader.lost'), { within: 30_000 });
    await eventually(() => election.isLeader, { within: 30_000 });
    expect(types).toContain('lock.lost');
    expect(await locks.withLock(KEY, () => 'again')).toBe('again');
  }, 90_000);
});
