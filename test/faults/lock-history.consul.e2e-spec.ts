import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, figure, seededRandom, startCluster, type ConsulCluster } from '@rookery/test-support';
import { overlaps, violations, type Holder } from '../history/holders.js';
import { isLinearizable } from '../history/is-linearizable.js';
import { FaultProxy } from './fault-proxy.js';
import { FencedResource, LockWorker } from './lock-workers.js';

/** Ten minutes with `npm run faults`. */
const SECONDS = Number(process.env.ROOKERY_RUNS ?? 20) >= 100 ? 600 : 60;
const SEED = Number(process.env.ROOKERY_SEED ?? 28);
const KEY = 'locks/contended';
/** Longer than Consul takes to give the lock to another: twice the TTL, and the lock-delay. */
const LONG_PAUSE_MS = 35_000;

describe(`five workers contend for one lock for ${SECONDS} s, seed ${SEED}`, () => {
  const random = seededRandom(SEED);
  let cluster: ConsulCluster;
  let resource: FencedResource;
  let proxies: FaultProxy[];
  let workers: LockWorker[];
  const done: string[] = [];
  /** The one that is frozen past its lease; no other fault may end that. */
  let frozen: LockWorker | undefined;

  beforeAll(async () => {
    cluster = await startCluster();
    resource = await FencedResource.start();
    const agents = [...cluster.clients, ...cluster.clients, ...cluster.clients].slice(0, 5);
    proxies = await Promise.all(agents.map(({ url }) => FaultProxy.start(url)));
    workers = proxies.map(
      ({ url }, index) =>
        new LockWorker({
          name: `worker-${index}`,
          key: KEY,
          register: 'register',
          resource: resource.url,
          options: { agent: { url }, locks: { ttl: '10s' } },
        }),
    );
  }, 120_000);
  afterAll(async () => {
    for (const proxy of proxies) proxy.isHalfOpen = false;
    await Promise.all(workers.map((worker) => worker.stop()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await resource.stop();
    await cluster.stop();
  }, 60_000);

  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const between = (least: number, most: number): number => least + (most - least) * random();
  const holder = (): LockWorker | undefined =>
    workers.find((each) => each !== frozen && each.holds !== undefined);
  const running = (): LockWorker[] => workers.filter((each) => each !== frozen);
  const acquisitions = (): number =>
    workers.reduce((sum, { events }) => sum + events.filter(({ type }) => type === 'acquired').length, 0);

  const faults: Readonly<Record<string, () => Promise<void>>> = {
    'a worker is frozen': async () => {
      const worker = holder() ?? pick(running());
      worker.pause();
      await sleep(between(500, 4_000));
      worker.resume();
    },
    'a worker is killed': () => pick(running()).restart(),
    'a worker is cut off from its agent': async () => {
      const proxy = pick(proxies);
      proxy.isHalfOpen = true;
      await sleep(between(1_000, 9_000));
      proxy.isHalfOpen = false;
      proxy.resetAll();
    },
    'an agent is frozen': async () => {
      const agent = pick(cluster.clients);
      agent.pause();
      await sleep(between(1_000, 5_000));
      agent.resume();
    },
    'the leader of the servers is frozen': async () => {
      const server = await cluster.leader();
      server.pause();
      await sleep(between(1_000, 6_000));
      server.resume();
    },
    'a server is killed': async () => {
      const server = pick(cluster.servers);
      await server.kill();
      await sleep(between(0, 2_000));
      await server.relaunch();
    },
    'the wall clock of a worker jumps': async () => {
      pick(running()).jumpClock(between(-3_600_000, 3_600_000));
      await sleep(500);
    },
    'an operator deletes the key': async () => {
      await cluster.clients[0]?.request('DELETE', `/v1/kv/${KEY}`);
    },
  };

  it('F28 no stale write is accepted, every overlap ends at the signal of its holder, and the register is linearizable', async () => {
    await eventually(() => acquisitions() >= 10, { within: 60_000 });
    const until = performance.now() + SECONDS * 1_000;
    // Past its lease: it comes back when another one has the lock, and works on.
    const first = await eventually(holder, { every: 1 });
    first.pause();
    frozen = first;
    const thawed = sleep(LONG_PAUSE_MS).then(() => {
      first.resume();
      frozen = undefined;
    });
    while (performance.now() < until) {
      const name = pick(Object.keys(faults));
      done.push(name);
      // A moment without a leader, or an agent that is frozen: the next one.
      await faults[name]?.().catch((error: unknown) => done.push(String(error).slice(0, 100)));
      await sleep(between(500, 2_000));
    }
    await thawed;
    // Everything is as it was: someone holds it again.
    const before = acquisitions();
    await eventually(() => acquisitions() > before + 5, { within: 90_000 });
    for (const worker of workers) worker.pause();
    await sleep(500);
    const found = workers.flatMap(holdersOf);
    const history = workers.flatMap(({ operations }) => operations);
    const twice = overlaps(found);
    const verdict = isLinearizable(history, undefined);
    const lost = found.filter(({ isLost }) => isLost).length;
    figure(
      'F28',
      `seed ${SEED}: ${done.length} faults, ${found.length} times acquired, ${lost} times lost, ${twice.length} overlaps of ${new Set(twice.map(({ earlier }) => earlier.fence)).size} holders, ` +
        `${resource.accepted} writes, ${resource.stale} stale requests refused; register: ${history.length} operations, ${history.filter(({ end }) => end === Infinity).length} without a response`,
    );
    expect(violations(found)).toEqual([]);
    // A write that was lost, or done twice, would show.
    expect(resource.value).toBe(resource.accepted);
    expect(workers.flatMap(writesAfterSignal)).toEqual([]);
    expect(verdict.stuckAt).toEqual([]);
    expect(verdict.isLinearizable).toBe(true);
    // The one that was frozen past its lease found out, and others had it meanwhile.
    expect(holdersOf(first).some(({ isLost, from, to }) => isLost && to - from > 20_000)).toBe(true);
  }, 1_200_000);
});

function holdersOf({ name, events }: LockWorker): Holder[] {
  return events.flatMap((event) => {
    if (event.type !== 'acquired') return [];
    const signal = events.find(({ type, fence }) => type === 'signal' && fence === event.fence);
    // It may also hear of it at its release.
    const told = events.some(({ code, fence }) => code === 'RK_LOCK_LOST' && fence === event.fence);
    const isLost = told || (signal !== undefined && !(signal.reason ?? '').includes('was released'));
    return [{ worker: name, fence: event.fence ?? 0, from: event.at, to: signal?.at ?? Infinity, isLost }];
  });
}

/** Work that went on though the lock was gone. */
function writesAfterSignal({ name, events }: LockWorker): string[] {
  return events.flatMap((event) => {
    if (event.type !== 'write') return [];
    const signal = events.find(({ type, fence }) => type === 'signal' && fence === event.fence);
    return signal && signal.at < event.at ? [`${name}: ${event.at - signal.at} ms`] : [];
  });
}
