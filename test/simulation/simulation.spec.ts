import { describe, expect, it } from '@jest/globals';
import { figure } from '@rookery/test-support';
import type { ClientsOptions } from '#libs/discovery/dist/calling/options/client-options.js';
import { chart } from './chart.js';
import { SCENARIOS } from './scenarios.js';
import { simulateInThread } from './simulate-in-thread.js';
import type { Scenario, SimulatedCall } from './simulation.js';
import { attemptsByInstance, during, quantile, summarize } from './summary.js';

const SEED = 20_251_121;
const SECOND = 1_000;
/** As measured on real sockets: one client, three instances, 3 ms. */
const THREE: Scenario = {
  name: 'three',
  story: 'three instances',
  clients: 1,
  instances: 3,
  load: 0.4,
  model: { workers: 4, serviceMs: 3 },
  events: [],
  durationMs: 40 * SECOND,
  watched: [0],
};
const named = (name: string): Scenario => {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario ${name}`);
  return found;
};
/** @param scenario one that is in the list is named, since its functions cannot be sent to a thread */
const run = (
  scenario: Scenario,
  strategy: 'p2c-ewma' | 'round-robin' | 'random' = 'p2c-ewma',
  more: Omit<ClientsOptions, 'strategy'> = {},
) => {
  const options = { clients: { ...more, strategy }, seed: SEED };
  return simulateInThread(
    SCENARIOS.includes(scenario)
      ? { name: scenario.name, changes: {}, options }
      : { changes: scenario, options },
  );
};
const shareOf = (calls: readonly SimulatedCall[], instance: number): number => {
  const attempts = calls.flatMap((call) => call.attempts);
  return attempts.filter((n) => n === instance).length / attempts.length;
};

describe('the simulation', () => {
  it('is the same for the same seed', async () => {
    const scenario = { ...THREE, durationMs: 2 * SECOND };
    expect(await run(scenario)).toEqual(await run(scenario));
  }, 60_000);

  it('F33 one of three answers 100 ms late: hardly any call is slower, and it has its share again 15 s after it recovered', async () => {
    const slow: Scenario = {
      ...THREE,
      events: [
        { at: 5 * SECOND, instances: [0], behaviour: { extraMs: 100 } },
        { at: 20 * SECOND, instances: [0], behaviour: {} },
      ],
    };
    const [well, ours, inTurn] = [await run(THREE), await run(slow), await run(slow, 'round-robin')];
    const while_ = (calls: readonly SimulatedCall[]): SimulatedCall[] =>
      during(calls, 6 * SECOND, 20 * SECOND);
    const p99 = [well, ours, inTurn].map((calls) => quantile(while_(calls), 0.99));
    const [wellP99 = 0, oursP99 = 0, inTurnP99 = 0] = p99;
    const back = shareOf(during(ours, 35 * SECOND, 40 * SECOND), 0);
    figure(
      'F33',
      `simulated, p99 with all healthy ${wellP99.toFixed(1)} ms, with one of three 100 ms late ${oursP99.toFixed(1)} ms, round robin ${inTurnP99.toFixed(1)} ms; share of the slow one ${(shareOf(while_(ours), 0) * 100).toFixed(2)} %, 15 s after it recovered ${(back * 100).toFixed(0)} %`,
    );
    expect(oursP99).toBeLessThanOrEqual(1.5 * wellP99);
    expect(oursP99).toBeLessThanOrEqual(inTurnP99 / 10);
    expect(back).toBeGreaterThan(0.25);
  }, 240_000);

  it('F33 one of three fails at once: it gets at most half a per cent after a second, and no call fails', async () => {
    const failing: Scenario = {
      ...THREE,
      durationMs: 20 * SECOND,
      events: [{ at: 5 * SECOND, instances: [0], behaviour: { fails: '503' } }],
    };
    const calls = await run(failing, 'p2c-ewma', { outlierDetection: false });
    const share = shareOf(during(calls, 6 * SECOND, 20 * SECOND), 0);
    const { failed, amplification } = summarize(during(calls, 5 * SECOND, 20 * SECOND), failing);
    figure(
      'F33',
      `simulated, without ejection: ${(share * 100).toFixed(2)} % of attempts, ${amplification.toFixed(4)} attempts for each call`,
    );
    expect(share).toBeLessThanOrEqual(0.005);
    expect(failed).toBe(0);
    expect(amplification).toBeLessThan(1.01);
  }, 240_000);

  it('F33 one of three answers 40 ms late: a pause of all of them brings it no more than 3 % of the calls', async () => {
    const pauses = named('pauses');
    const share = shareOf(during(await run(pauses), 5 * SECOND, 25 * SECOND), 0);
    figure(
      'F33',
      `simulated, with a pause of 60 ms in five seconds: ${(share * 100).toFixed(2)} % of the calls`,
    );
    expect(share).toBeLessThanOrEqual(0.03);
  }, 240_000);

  it('F34 all fail for ten seconds: no retry storm, and no call fails once they are back', async () => {
    const outage = named('outage');
    for (const strategy of ['p2c-ewma', 'round-robin'] as const) {
      const calls = await run(outage, strategy);
      const { amplification } = summarize(during(calls, 5 * SECOND, 15 * SECOND), outage);
      const after = during(calls, 15.1 * SECOND, 25 * SECOND);
      figure(
        'F34',
        `simulated, ${strategy}: ${amplification.toFixed(3)} attempts for each call during the outage; afterwards ${after.filter(({ failed }) => failed).length} of ${after.length} failed`,
      );
      expect(amplification).toBeLessThanOrEqual(1.2);
      expect(after.filter(({ failed }) => failed)).toEqual([]);
    }
  }, 240_000);

  it('F35 ten clients, ten instances: no instance gets more than twice its share', async () => {
    const spreads: string[] = [];
    for (const strategy of ['p2c-ewma', 'round-robin', 'random'] as const) {
      const { spread } = summarize(await run(named('well'), strategy), named('well'));
      spreads.push(`${strategy} ${spread.toFixed(2)}`);
      expect(spread).toBeLessThan(2);
    }
    figure('F35', `the largest share of ten instances, of the fair share: ${spreads.join(', ')}`);
  }, 240_000);

  it('F36 zones of 1, 9 and 9 instances with as many clients each: no host gets more than 1.5 times the mean', async () => {
    const zones = named('zones');
    const calls = await run(zones);
    const counts = [...attemptsByInstance(calls).values()];
    const mean = counts.reduce((sum, count) => sum + count, 0) / zones.instances;
    figure('F36', `the busiest host has ${(Math.max(...counts) / mean).toFixed(2)} times the mean`);
    expect(counts).toHaveLength(19);
    expect(Math.max(...counts) / mean).toBeLessThan(1.5);
  }, 240_000);

  it('is drawn completely', async () => {
    const scenario = { ...THREE, durationMs: 3 * SECOND, story: 'a < b & c' };
    const svg = chart([{ scenario, runs: new Map([['p2c-ewma', await run(scenario)]]) }]);
    expect(svg).toMatch(/^<svg /);
    expect(svg).toContain('a &lt; b &amp; c');
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});
