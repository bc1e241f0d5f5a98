import { describe, expect, it } from '@jest/globals';
import { figure } from '@rookery/test-support';
import { loadClients, loadRow, type LoadRow } from './load-run.js';
import { LOAD_SCENARIOS } from './load-scenarios.js';
import { simulateInThread } from './simulate-in-thread.js';
import type { Scenario } from './simulation.js';

const SEED = 20_251_122;
const SECOND = 1_000;
const COMPARED = ['p2c-load', 'prequal', 'p2c-ewma'] as const;

function named(name: string, clients?: number): Scenario {
  const found = LOAD_SCENARIOS.find(
    (scenario) => scenario.name === name && (clients === undefined || scenario.clients === clients),
  );
  if (!found) throw new Error(`no scenario ${name}`);
  return found;
}
/** A part of what `npm run simulate -- load` does, with one of its seeds. */
async function compare(
  named: Scenario,
  strategies: readonly LoadRow['strategy'][],
  changes: Partial<Scenario> = {},
): Promise<readonly LoadRow[]> {
  const scenario = { ...named, ...changes };
  const { name, clients } = scenario;
  const rows: LoadRow[] = [];
  for (const strategy of strategies) {
    const options = { clients: loadClients(scenario, strategy), seed: SEED };
    const calls = await simulateInThread({ name, clients, changes, options });
    rows.push(loadRow(scenario, strategy, SEED, calls));
  }
  const told = rows.map(
    ({ strategy, p99Ms, failedShare }) =>
      `${strategy} ${p99Ms.toFixed(0)} ms, ${(failedShare * 100).toFixed(2)} % failed`,
  );
  figure('load', `${scenario.name}, ${scenario.clients} clients, p99: ${told.join('; ')}`);
  return rows;
}
const short = { durationMs: 8 * SECOND, measureFrom: 3 * SECOND } as const;

describe('strategies that know the load of servers', () => {
  it('are better than those that do not where two of twenty instances are slow and all are busy', async () => {
    const [load, prequal, ewma] = await compare(named('half-speed', 60), COMPARED, short);
    expect(load?.p99Ms).toBeLessThan(0.85 * Number(ewma?.p99Ms));
    expect(prequal?.p99Ms).toBeLessThan(0.75 * Number(ewma?.p99Ms));
  }, 240_000);

  it('send no more attempts to instances that fail', async () => {
    const events = named('failing').events.map((event) => ({ ...event, at: 4 * SECOND }));
    const [load, prequal, ewma] = await compare(named('failing'), COMPARED, { ...short, events });
    expect(load?.failedShare).toBeLessThanOrEqual(Number(ewma?.failedShare));
    expect(prequal?.failedShare).toBeLessThanOrEqual(Number(ewma?.failedShare));
  }, 240_000);

  it.each(['reports-absent', 'reports-stale', 'reports-absurd', 'reports-hostile'])(
    'are no worse with %s',
    async (name) => {
      const [load, prequal, ewma] = await compare(named(name), COMPARED, short);
      expect(load?.p99Ms).toBeLessThan(1.05 * Number(ewma?.p99Ms));
      expect(prequal?.p99Ms).toBeLessThan(1.05 * Number(ewma?.p99Ms));
    },
    240_000,
  );

  it('asked between heavy calls, servers tell what responses cannot', async () => {
    const [prequal, ewma] = await compare(named('heavy'), ['prequal', 'p2c-ewma']);
    expect(prequal?.p99Ms).toBeLessThan(0.8 * Number(ewma?.p99Ms));
  }, 240_000);
});
