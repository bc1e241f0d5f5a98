import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { TrackedTarget } from '../target/tracked-target.js';
import { Xorshift } from '../xorshift.js';
import { LoadProbes } from './load-probes.js';

function start(count: number, perSecond = 10) {
  const clock = new FakeClock();
  const targets = Array.from(
    { length: count },
    (_, n) =>
      new TrackedTarget(
        new InMemoryRegistry().put({ service: 's', id: `i${n}`, port: 1_000 + n }),
        -Infinity,
        0,
      ),
  );
  const asked: string[] = [];
  const told: [string, number][] = [];
  const answers: ((header: string | undefined) => void)[] = [];
  const probes = new LoadProbes({
    ...{ clock, perSecond, random: new Xorshift(() => 0.3), targets: () => targets },
    ask: ({ instance }) => {
      asked.push(instance.id);
      return new Promise((resolve, reject) => {
        answers.push((header) => (header === 'broken' ? reject(new Error(header)) : resolve(header)));
      });
    },
    onAnswer: ({ instance }, inFlight) => told.push([instance.id, inFlight]),
  });
  return { clock, probes, targets, asked, told, answers };
}

describe('LoadProbes', () => {
  it('asks so many a second while calls are made, and for ten seconds after the last one', async () => {
    const { clock, probes, asked, answers } = start(50);
    expect(clock.pending).toBe(0);
    probes.wake();
    await clock.advance(1_000);
    expect(asked.length).toBeGreaterThan(7);
    expect(asked.length).toBeLessThanOrEqual(10);
    expect(new Set(asked).size).toBeGreaterThan(5);
    for (const answer of answers) answer(undefined);
    await clock.advance(20_000);
    expect(asked.length).toBeLessThanOrEqual(102);
    expect(clock.pending).toBe(0);
    probes.wake();
    probes.close();
    expect(clock.pending).toBe(0);
  });

  it('asks a server once at a time, and none where there is no choice', async () => {
    const two = start(2);
    two.probes.wake();
    await two.clock.advance(3_000);
    expect(two.asked.sort()).toEqual(['i0', 'i1']);
    const one = start(1);
    one.probes.wake();
    await one.clock.advance(3_000);
    expect(one.asked).toEqual([]);
  });

  it('hands on what is said, and goes on after what fails, says nothing or is no longer listed', async () => {
    const { clock, probes, targets, asked, told, answers } = start(5);
    probes.wake();
    await clock.advance(2_000);
    expect(asked.length).toBe(5);
    const gone = targets.find(({ instance }) => instance.id === asked[3]);
    if (gone) gone.isListed = false;
    const report = 'TEXT named_metrics.in_flight=7';
    for (const [n, header] of ['broken', undefined, report, report, 'JSON {}'].entries())
      answers[n]?.(header);
    await settle();
    expect(told).toEqual([[asked[2], 7]]);
    await clock.advance(2_000);
    expect(asked.length).toBeGreaterThan(5);
  });
});
