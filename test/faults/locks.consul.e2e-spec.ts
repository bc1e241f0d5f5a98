import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { ConsulModule, LockService, type ConsulModuleOptions } from '@rookery/consul';
import {
  ConsulAgent,
  endWithUs,
  eventually,
  exited,
  figure,
  findConsul,
  median,
  seededRandom,
} from '@rookery/test-support';
import { rootModule } from '../e2e/test-app.js';
import { FaultProxy } from './fault-proxy.js';
import { FencedResource, LockWorker, now } from './lock-workers.js';

const REPLICA = fileURLToPath(new URL('cron-replica.mjs', import.meta.url));
const EXIT_WITH_PARENT = fileURLToPath(new URL('../support/dist/exit-with-parent.js', import.meta.url));
const TTL_MS = 10_000;
/** Consul doubles the TTL, and keeps the lock from everyone for the lock-delay, which is as long as the TTL. */
const FAIL_OVER_MS = 3 * TTL_MS;

describe('locks under faults', () => {
  let agent: ConsulAgent;
  const apps: INestApplicationContext[] = [];

  const start = async (options: ConsulModuleOptions): Promise<LockService> => {
    const module = rootModule([ConsulModule.forRoot(options)]);
    const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    apps.push(app);
    return app.get(LockService);
  };

  beforeAll(async () => {
    agent = await ConsulAgent.start();
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await agent.stop();
  }, 30_000);

  it('F29 a partition of 10 s, at the worst moment, costs no lock with a TTL of 15 s', async () => {
    const proxy = await FaultProxy.start(agent.url);
    const locks = await start({ agent: { url: proxy.url } });
    const held = await Promise.all(
      Array.from({ length: 10 }, (_, n) => locks.acquire(`locks/partition/${n}`)),
    );
    const sessions = held.map(({ session }) => session);
    const renewals = (): number =>
      proxy.requests.filter(({ what }) => what.includes('/session/renew/')).length;
    for (const heal of [
      'the connections are reset',
      'the connections stay half open',
      'the agent is frozen',
    ]) {
      const before = renewals();
      await eventually(() => renewals() >= before + held.length, { every: 5 });
      // Just before the next renewals are due, 1.25 s later: the last ones are as old as can be.
      await sleep(1_100);
      if (heal === 'the agent is frozen') agent.pause();
      else proxy.isHalfOpen = true;
      await sleep(10_000);
      const remaining = Math.min(...held.map(({ remainingMs }) => remainingMs));
      agent.resume();
      proxy.isHalfOpen = false;
      if (heal === 'the connections are reset') proxy.resetAll();
      await eventually(() => held.every(({ remainingMs }) => remainingMs > 8_000), { within: 8_000 });
      figure(
        'F29',
        `10 s, then ${heal}: ${held.length} of ${held.length} locks held, ${Math.round(remaining)} ms before the last was lost`,
      );
      expect(held.map(({ isHeld }) => isHeld)).toEqual(held.map(() => true));
    }
    for (const lock of held)
      await lock.guardedWrite([{ type: 'set', key: 'locks/partition-proof', value: 'x' }]);
    expect(held.map(({ session }) => session)).toEqual(sessions);
    await Promise.all(held.map((lock) => lock.release()));
    await proxy.stop();
  }, 120_000);

  it('F28 hands over as soon as it is released', async () => {
    const [one, other] = [
      await start({ agent: { url: agent.url } }),
      await start({ agent: { url: agent.url } }),
    ];
    const took: number[] = [];
    for (let round = 0; round < 30; round++) {
      const held = await one.acquire('locks/handed-over');
      const waiting = other.acquire('locks/handed-over');
      await eventually(() => other.explain()[0]?.waiters === 1);
      await sleep(150); // its watch blocks, and its limit of ten a second is over
      const released = performance.now();
      const released$ = held.release();
      const next = await waiting;
      took.push(performance.now() - released);
      await released$;
      await next.release();
    }
    took.sort((a, b) => a - b);
    figure(
      'F28',
      `handed over ${median(took).toFixed(1)} ms after the release (median of ${took.length}, worst ${took.at(-1)?.toFixed(1)} ms)`,
    );
    // Not by a poll, and not after a lease: those take seconds.
    expect(median(took)).toBeLessThan(1_000);
  }, 120_000);

  it('F28 a leader that is killed is replaced after its lease; one that is frozen past it does nothing more', async () => {
    // A fence orders the holders of one key.
    const [resource, resourceOfKilled] = [await FencedResource.start(), await FencedResource.start()];
    const worker = (name: string, key: string): LockWorker =>
      new LockWorker({
        name,
        key,
        leads: true,
        resource: (key === 'leaders/killed' ? resourceOfKilled : resource).url,
        options: { agent: { url: agent.url }, locks: { ttl: '10s' } },
      });
    const pairs = ['leaders/killed', 'leaders/frozen'].map(
      (key) => [worker(`${key} 1`, key), worker(`${key} 2`, key)] as const,
    );
    const leaderOf = (pair: readonly LockWorker[]): LockWorker | undefined =>
      pair.find(({ holds }) => holds !== undefined);
    try {
      const [killed, frozen] = await Promise.all(
        pairs.map((pair) => eventually(() => leaderOf(pair), { within: 30_000 })),
      );
      if (!killed || !frozen) throw new Error('no leaders');
      await sleep(500);
      const frozenFence = frozen.holds;
      frozen.pause();
      const began = now();
      await killed.kill();
      const [next, other] = await Promise.all(
        pairs.map((pair, index) =>
          eventually(
            () => pair.find((each) => each !== [killed, frozen][index] && each.holds !== undefined),
            { within: 90_000 },
          ),
        ),
      );
      const elected = next?.events.find(({ type }) => type === 'acquired')?.at ?? NaN;
      figure(
        'F28',
        `a killed leader was replaced after ${((elected - began) / 1_000).toFixed(1)} s; twice its TTL and the lock-delay are ${FAIL_OVER_MS / 1_000} s`,
      );
      // Earlier, Consul would have given it away within the lease.
      expect(elected - began).toBeGreaterThan(TTL_MS);
      const stale = resource.stale;
      frozen.resume();
      await eventually(() =>
        frozen.events.some(({ type, fence }) => type === 'signal' && fence === frozenFence),
      );
      await sleep(500);
      const signal = frozen.events.find(({ type }) => type === 'signal');
      const after = frozen.events.filter(({ type, at }) => type === 'write' && at > (signal?.at ?? 0));
      expect(after).toEqual([]);
      expect(signal?.reason).toContain('no renewal was confirmed in time');
      figure(
        'F28',
        `a leader frozen past its lease: 0 steps after its signal, ${resource.stale - stale} requests refused by the fence`,
      );
      expect(other?.holds).toBeGreaterThan(frozenFence ?? 0);
    } finally {
      await Promise.all(pairs.flat().map((each) => each.stop()));
      await resource.stop();
      await resourceOfKilled.stop();
    }
  }, 150_000);

  it('F28 a @Cron job of five replicas through 20 restarts: each tick once at most, and what was missed is told', async () => {
    const ran = new Map<number, number[]>();
    const missed: { ticks: number; reason: string }[] = [];
    let leader: number | undefined;
    const launch = (): ChildProcess => {
      const child = spawn(process.execPath, ['--import', EXIT_WITH_PARENT, REPLICA], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: {
          ...process.env,
          NO_COLOR: '1',
          CRON_REPLICA: JSON.stringify({ options: { agent: { url: agent.url } }, key: 'leaders/ticks' }),
        },
      });
      endWithUs(child);
      child.on(
        'message',
        (message: { type: string; tick: number; pid: number; ticks: number; reason: string }) => {
          if (message.type === 'ran') ran.set(message.tick, [...(ran.get(message.tick) ?? []), message.pid]);
          else if (message.type === 'missed') missed.push(message);
          else leader = message.pid;
        },
      );
      return child;
    };
    const replicas = Array.from({ length: 5 }, launch);
    await eventually(() => ran.size >= 3, { within: 60_000 });
    const random = seededRandom(15);
    for (let restart = 0; restart < 20; restart++) {
      // Half of the time the leader, which matters.
      const index = restart % 2 === 0 ? replicas.findIndex(({ pid }) => pid === leader) : -1;
      const at = index >= 0 ? index : Math.floor(random() * replicas.length);
      const replica = replicas[at];
      if (!replica) continue;
      replica.kill('SIGTERM');
      await exited(replica);
      replicas[at] = launch();
      await sleep(400 + 800 * random());
    }
    const enough = ran.size + 3;
    await eventually(() => ran.size >= enough);
    for (const replica of replicas) replica.kill('SIGTERM');
    await Promise.all(replicas.map(exited));
    const ticks = [...ran.keys()].sort((a, b) => a - b);
    const all = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) + 1;
    const told = missed.reduce((sum, each) => sum + each.ticks, 0);
    figure(
      'F28',
      `20 restarts: ${ticks.length} of ${all} ticks ran, ${all - ticks.length} were missed, ${told} of them told (${missed.map(({ reason }) => reason).join('; ') || 'none'})`,
    );
    expect([...ran].filter(([, pids]) => pids.length > 1)).toEqual([]);
    expect(told).toBe(all - ticks.length);
  }, 180_000);

  it('F28 1,000 waiters in five processes: few requests while it is held, and a bounded rate while it goes round', async () => {
    const proxy = await FaultProxy.start(agent.url);
    const services = await Promise.all(Array.from({ length: 5 }, () => start({ agent: { url: proxy.url } })));
    const holder = await start({ agent: { url: agent.url } });
    const held = await holder.acquire('locks/popular');
    let done = 0;
    /** How often each process had it. */
    const turns = services.map(() => 0);
    const waiting = services.flatMap((locks, index) => {
      const work = (): void => {
        done++;
        turns[index] = (turns[index] ?? 0) + 1;
      };
      return Array.from({ length: 200 }, () => locks.withLock('locks/popular', work, { waitFor: '5m' }));
    });
    await eventually(() => services.every((locks) => locks.explain()[0]?.waiters === 200));
    await sleep(2_000);
    const begun = proxy.requests.length;
    await sleep(5_000);
    const idle = (proxy.requests.length - begun) / 5;
    const from = performance.now();
    const before = proxy.requests.length;
    await held.release();
    await eventually(() => done >= 200, { within: 120_000 });
    const seconds = (performance.now() - from) / 1_000;
    const busy = (proxy.requests.length - before) / seconds;
    const perTurn = (proxy.requests.length - before) / done;
    figure(
      'F28',
      `1,000 waiters: ${idle.toFixed(1)} requests a second while it was held; then ${(done / seconds).toFixed(1)} turns and ${busy.toFixed(0)} requests a second, ${perTurn.toFixed(1)} for each turn; each process had ${turns.join(', ')}`,
    );
    // A watch for each process; a request a waiter would be hundreds.
    expect(idle).toBeLessThan(20);
    // A session, a try, a release and an end for the one that gets it; a try for each other process.
    expect(perTurn).toBeLessThan(40);
    // Each has a chance, also against the one that has just released it: a fifth of 200 would be 40.
    expect(Math.min(...turns)).toBeGreaterThan(8);
    const closing = apps.splice(apps.length - 6);
    const ended = Promise.allSettled(waiting);
    await Promise.all(closing.map((app) => app.close()));
    await ended;
    await proxy.stop();
  }, 240_000);
});

describe('locks of `consul lock`', () => {
  let agent: ConsulAgent;
  let app: INestApplicationContext;
  let locks: LockService;

  beforeAll(async () => {
    agent = await ConsulAgent.start();
    const module = rootModule([ConsulModule.forRoot({ agent: { url: agent.url } })]);
    app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    locks = app.get(LockService);
  });
  afterAll(async () => {
    await app.close();
    await agent.stop();
  });

  /** Runs `consul lock` around a shell command that prints when it begins, and ends when its input does. */
  const consulLock = (
    ...args: string[]
  ): { child: ChildProcess; hasBegun: () => boolean; end: () => Promise<void> } => {
    const child = spawn(
      findConsul() ?? 'consul',
      ['lock', `-http-addr=${agent.url}`, '-pass-stdin', ...args, 'echo begun; cat'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    endWithUs(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return {
      child,
      hasBegun: () => output.includes('begun'),
      end: async () => {
        child.stdin.end();
        await exited(child);
      },
    };
  };

  it('F28 the real binary and ours exclude each other on one key, both ways', async () => {
    const theirs = consulLock('jobs/nightly');
    await eventually(theirs.hasBegun);
    // The binary appends `/.lock` to its prefix.
    const key = 'jobs/nightly/.lock';
    expect(await locks.tryLock(key)).toBeUndefined();
    const waiting = locks.acquire(key, { waitFor: '30s' });
    await sleep(500);
    expect(locks.explain()).toMatchObject([{ waiters: 1, held: [] }]);
    await theirs.end();
    const ours = await waiting;
    const next = consulLock('jobs/nightly');
    await sleep(2_000);
    expect(next.hasBegun()).toBe(false);
    expect(ours.isHeld).toBe(true);
    await ours.release();
    await eventually(next.hasBegun);
    expect((await locks.explain(key)).session).toMatchObject({
      name: expect.stringContaining('Consul lock'),
    });
    await next.end();
    await eventually(async () => (await locks.tryLock(key))?.isHeld);
  }, 90_000);

  it('F28 the real binary and ours share the permits of one semaphore', async () => {
    const semaphore = locks.semaphore('jobs/exports', 2);
    const theirs = consulLock('-n=2', 'jobs/exports');
    await eventually(theirs.hasBegun);
    const ours = await semaphore.acquire();
    expect(await semaphore.tryAcquire()).toBeUndefined();
    const next = consulLock('-n=2', 'jobs/exports');
    await sleep(2_000);
    expect(next.hasBegun()).toBe(false);
    await ours.release();
    await eventually(next.hasBegun);
    const waiting = semaphore.acquire({ waitFor: '30s' });
    await sleep(500);
    expect(locks.explain().find(({ key }) => key === 'jobs/exports')).toMatchObject({ waiters: 1, held: [] });
    await theirs.end();
    const permit = await waiting;
    expect(permit.isHeld).toBe(true);
    await permit.release();
    await next.end();
  }, 90_000);
});
