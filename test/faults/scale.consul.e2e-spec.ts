import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { ConsulAgent, figure } from '@rookery/test-support';
import { catalogInstance, putInstance } from './watching-app.js';

interface Scale {
  readonly phase: 'measuring' | 'done';
  readonly instances: number;
  readonly loadedMs: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly parseMs: number;
  readonly answerBytes: number;
  readonly stallMs: number;
  /** The duration of the tenth longest. */
  readonly usualStallMs: number;
  readonly cpuMsPerMinute: number;
  readonly changes: number;
}

interface Churn {
  readonly changes: number;
  readonly seen: number;
  readonly events: number;
  readonly rss: readonly [number, number];
  readonly heap: readonly [number, number];
  readonly handles: readonly [number, number];
  readonly timers: number;
}

const INSTANCE = {
  Tags: ['v1', 'http', 'blue'],
  Meta: { version: '1.2.3', zone: 'eu-1a', tier: 'gold', commit: '0123456789abcdef' },
};
const MB = 2 ** 20;

function run(
  script: string,
  environment: Record<string, string>,
  flags: readonly string[] = [],
): ChildProcess {
  const main = fileURLToPath(new URL(`./${script}`, import.meta.url));
  return fork(main, { execArgv: ['--expose-gc', ...flags], env: { ...process.env, ...environment } });
}

async function message<T>(child: ChildProcess): Promise<T> {
  const [said] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`it ended with ${String(code)}`);
    }),
  ])) as [T];
  return said;
}

async function fill(
  agent: ConsulAgent,
  count: number,
  of: (n: number) => [service: string, id: string],
): Promise<void> {
  for (let n = 0; n < count; n += 8)
    await Promise.all(
      Array.from({ length: Math.min(8, count - n) }, async (_, at) => {
        const [service, id] = of(n + at);
        const port = 1024 + ((n + at) % 60_000);
        await agent.request('PUT', '/v1/catalog/register', {
          ...catalogInstance(service, id, port, INSTANCE),
          Checks: [
            {
              Node: 'external',
              CheckID: `${id}:http`,
              Name: 'HTTP',
              Status: 'passing',
              ServiceID: id,
              Output: 'HTTP GET http://10.0.0.1/health: 200 OK',
            },
          ],
        });
      }),
    );
}

describe('large lists', () => {
  it('F42 5,000 instances of one service, one of them changing each second: no stall, and little memory', async () => {
    const agent = await ConsulAgent.start({ mode: 'server', expect: 1 });
    await fill(agent, 200, (n) => ['warm-up', `warm-up-${n}`]);
    await fill(agent, 5_000, (n) => ['large', `large-${n}`]);
    const app = run('scale-app.mjs', {
      SCALE: JSON.stringify({ url: agent.url, services: ['large'], forMs: 15_000 }),
    });
    expect((await message<Scale>(app)).phase).toBe('measuring');
    let flips = 0;
    const flipping = setInterval(() => {
      const id = `large-${(flips++ * 379) % 5_000}`;
      void putInstance(agent, 'large', id, 2_000 + flips, INSTANCE);
    }, 1_000);
    const scale = await message<Scale>(app);
    clearInterval(flipping);
    const perInstance = scale.heapBytes / scale.instances;
    figure(
      'F42',
      `${scale.instances} instances (${(scale.answerBytes / MB).toFixed(1)} MB, JSON.parse ${scale.parseMs.toFixed(0)} ms): ` +
        `${perInstance.toFixed(0)} B of heap each; ${scale.changes} changes in 15 s, longest stall ${scale.stallMs.toFixed(0)} ms, the tenth ${scale.usualStallMs.toFixed(0)}, ${(scale.cpuMsPerMinute / 1000).toFixed(1)} s of CPU a minute`,
    );
    expect(scale.instances).toBe(5_000);
    expect(scale.changes).toBeGreaterThan(5);
    expect(perInstance).toBeLessThan(300);
    // Fourteen changes: if each blocked the loop, the ten longest would all be such.
    expect(scale.usualStallMs - scale.parseMs).toBeLessThan(250);
    await agent.stop();
  }, 240_000);

  it('F42 1,000 services of 10 instances each', async () => {
    const agent = await ConsulAgent.start({ mode: 'server', expect: 1 });
    const services = Array.from({ length: 1_000 }, (_, n) => `many-${n}`);
    await fill(agent, 10_000, (n) => [`many-${n % 1_000}`, `many-${n}`]);
    const app = run('scale-app.mjs', {
      SCALE: JSON.stringify({ url: agent.url, services, forMs: 20_000 }),
    });
    await message<Scale>(app);
    const scale = await message<Scale>(app);
    figure(
      'F42',
      `1,000 services of 10: loaded in ${(scale.loadedMs / 1000).toFixed(1)} s; ${(scale.heapBytes / MB).toFixed(1)} MB of heap, ${(scale.rssBytes / MB).toFixed(1)} MB of RSS; ${(scale.cpuMsPerMinute / 1000).toFixed(1)} s of CPU a minute`,
    );
    expect(scale.instances).toBe(10_000);
    await agent.stop();
  }, 240_000);

  it('F42 a million instance changes: no more memory, no handle, no timer', async () => {
    const child = run(
      'churn.mjs',
      // V8's young generation and the allocator's arenas vary: neither is measured.
      { CHURN: JSON.stringify({ changes: 1_000_000, size: 2_000 }), MALLOC_ARENA_MAX: '1' },
      ['--min-semi-space-size=4', '--max-semi-space-size=4'],
    );
    const { changes, rss, heap, handles, timers, seen, events } = await message<Churn>(child);
    const [rssGrowth, heapGrowth] = [rss, heap].map(([before, after]) => after / before);
    figure(
      'F42',
      `${changes} changes, ${events} events: RSS ${(rss[0] / MB).toFixed(0)} → ${(rss[1] / MB).toFixed(0)} MB (x ${rssGrowth?.toFixed(3)}), heap ${(heap[0] / MB).toFixed(1)} → ${(heap[1] / MB).toFixed(1)} MB, handles ${handles.join(' → ')}`,
    );
    expect(seen).toBeGreaterThan(1_000_000);
    expect(heapGrowth).toBeLessThan(1.05);
    expect(rssGrowth).toBeLessThan(1.05);
    expect(handles[1]).toBeLessThanOrEqual(handles[0] + 1);
    expect(timers).toBeLessThanOrEqual(4);
  }, 240_000);
});
