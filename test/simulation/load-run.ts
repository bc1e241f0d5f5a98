import { chart, type Drawn } from './chart.js';
import { LOAD_SCENARIOS } from './load-scenarios.js';
import { writeResult } from './results.js';
import { SEED } from './seed.js';
import { simulate, type Scenario, type SimulatedCall, type SimulationOptions } from './simulation.js';
import { during, quantile } from './summary.js';

export const LOAD_STRATEGIES = ['p2c-load', 'prequal', 'p2c-ewma', 'round-robin', 'all-knowing'] as const;
const SEEDS = [1, 2, 3].map((n) => n + SEED);

/** How a strategy did in a scenario; written to `results/load.json`. */
export interface LoadRow {
  readonly scenario: string;
  readonly clients: number;
  readonly servers: number;
  readonly strategy: (typeof LOAD_STRATEGIES)[number];
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the attempts. */
  readonly failedShare: number;
  readonly seed: number;
}

export function loadRow(
  scenario: Scenario,
  strategy: LoadRow['strategy'],
  seed: number,
  all: readonly SimulatedCall[],
): LoadRow {
  const calls = during(all, scenario.measureFrom ?? 0, scenario.durationMs);
  const attempts = calls.reduce((sum, call) => sum + call.attempts.length, 0);
  return {
    scenario: scenario.name,
    clients: scenario.clients,
    servers: scenario.instances,
    strategy,
    p50Ms: quantile(calls, 0.5),
    p99Ms: quantile(calls, 0.99),
    failedShare: calls.reduce((sum, call) => sum + call.failedAttempts, 0) / attempts,
    seed,
  };
}

export function loadClients({ name }: Scenario, strategy: LoadRow['strategy']): SimulationOptions['clients'] {
  // What ejects an instance would hide what the strategy does.
  return name === 'failing' ? { strategy, outlierDetection: false } : { strategy };
}

/** `npm run simulate -- load [scenario]`: what servers that report their load are worth, beside what a client can know alone and what nothing can know. */
export async function runLoad(asked: readonly string[]): Promise<void> {
  const rows: LoadRow[] = [];
  const drawn: Drawn[] = [];
  const write = (text: string): void => void process.stdout.write(text);
  write(`seeds ${SEEDS.join(', ')}; p99 in ms of each, and their mean relative to that of p2c-ewma\n`);
  for (const scenario of LOAD_SCENARIOS.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
    const { name, story, clients, instances, load } = scenario;
    write(`\n${name}: ${story}\n${clients} clients, ${instances} instances, ${load * 100} % load\n`);
    const runs = new Map<string, readonly SimulatedCall[]>();
    const of = new Map<string, LoadRow[]>();
    for (const strategy of LOAD_STRATEGIES) {
      const mine: LoadRow[] = [];
      for (const seed of SEEDS) {
        const calls = await simulate(scenario, { clients: loadClients(scenario, strategy), seed });
        if (seed === SEEDS[0]) runs.set(strategy, calls);
        mine.push(loadRow(scenario, strategy, seed, calls));
      }
      of.set(strategy, mine);
      rows.push(...mine);
    }
    const base = meanOf(of.get('p2c-ewma') ?? [], 'p99Ms');
    for (const [strategy, mine] of of) {
      const p99 = mine.map(({ p99Ms }) => p99Ms.toFixed(0).padStart(6)).join('');
      const ratio = (meanOf(mine, 'p99Ms') / base).toFixed(2);
      const failed = (meanOf(mine, 'failedShare') * 100).toFixed(2);
      const p50 = meanOf(mine, 'p50Ms').toFixed(1);
      write(
        `${strategy.padEnd(14)} p50 ${p50.padStart(6)}  p99${p99}  ${ratio} x  ${failed} % of attempts failed\n`,
      );
    }
    drawn.push({ scenario: { ...scenario, name: `${name}, ${clients} clients` }, runs });
  }
  const written = [
    writeResult('load.json', `${JSON.stringify(rows, null, 1)}\n`),
    writeResult('load.svg', chart(drawn)),
  ];
  write(`\nwritten: ${written.join(', ')}\n`);
}

function meanOf(rows: readonly LoadRow[], field: 'p50Ms' | 'p99Ms' | 'failedShare'): number {
  return rows.reduce((sum, row) => sum + row[field], 0) / rows.length;
}
