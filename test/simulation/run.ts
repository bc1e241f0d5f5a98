// `npm run simulate [-- one-slow p2c-ewma]`: how each strategy copes with faults of instances, as a table and as a chart. `-- load`: what reports of
// servers are worth; `-- fleet`: what many apps ask of Consul.
import { writeFileSync } from 'node:fs';
import { STRATEGY_NAMES, type StrategyName } from '#libs/discovery/dist/balancing/strategies/strategies.js';
import { chart, type Drawn } from './chart.js';
import { runFleetCommand } from './fleet/fleet-run.js';
import { runLoad } from './load-run.js';
import { SCENARIOS } from './scenarios.js';
import { SEED } from './seed.js';
import { simulate, type SimulatedCall } from './simulation.js';
import { summarize } from './summary.js';

const DRAWN_TO = 'test/simulation/simulation.svg';
/** Scenarios with a picture of their own, on the page on balancing. */
const SHOWN: ReadonlySet<string> = new Set(['one-slow', 'failing-fast', 'dead', 'scaling']);
const PART_DRAWN_TO = '.cache/simulation.svg';
const COMPARED: readonly StrategyName[] = ['p2c-ewma', 'least-requests', 'round-robin', 'random'];

const asked = process.argv.slice(2);
if (asked[0] === 'fleet') process.exit(await runFleetCommand(asked.slice(1)));
if (asked[0] === 'load') {
  await runLoad(asked.slice(1));
  process.exit();
}
const unknown = asked.filter(
  (name) =>
    !SCENARIOS.some((scenario) => scenario.name === name) && !STRATEGY_NAMES.some((known) => known === name),
);
if (unknown.length > 0) {
  process.stderr.write(
    `${unknown.join(', ')}: neither a scenario nor a strategy\n` +
      `scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}\nstrategies: ${STRATEGY_NAMES.join(', ')}\n`,
  );
  process.exit(2);
}
const scenarios = SCENARIOS.filter(({ name }) => asked.includes(name));
const strategies = STRATEGY_NAMES.filter((name) => asked.includes(name));

const drawn: Drawn[] = [];
process.stdout.write(`seed ${SEED}; retries and ejection as by default; milliseconds\n`);
for (const scenario of scenarios.length > 0 ? scenarios : SCENARIOS) {
  process.stdout.write(`\n${scenario.name}: ${scenario.story}\n`);
  process.stdout.write(
    `${scenario.clients} clients, ${scenario.instances} instances, ${scenario.load * 100} % load\n`,
  );
  process.stdout.write(
    `${''.padEnd(22)}    p50     p99    p999  failed  spread  attempts/call  at the watched\n`,
  );
  const runs = new Map<string, readonly SimulatedCall[]>();
  for (const strategy of strategies.length > 0 ? strategies : COMPARED) {
    const calls = await simulate(scenario, { clients: { strategy }, seed: SEED });
    runs.set(strategy, calls);
    const { p50, p99, p999, failed, spread, amplification, watchedShare } = summarize(calls, scenario);
    const cells = [p50, p99, p999].map((value) => value.toFixed(1).padStart(7)).join(' ');
    process.stdout.write(
      `${strategy.padEnd(22)}${cells} ${String(failed).padStart(7)} ${spread.toFixed(2).padStart(7)} ${amplification.toFixed(3).padStart(14)} ${(watchedShare * 100).toFixed(1).padStart(13)} %\n`,
    );
  }
  drawn.push({ scenario, runs });
}
// The documentation shows the complete run, and some of its scenarios.
const drawnTo = asked.length > 0 ? PART_DRAWN_TO : DRAWN_TO;
writeFileSync(drawnTo, chart(drawn));
if (asked.length === 0)
  for (const each of drawn)
    if (SHOWN.has(each.scenario.name))
      writeFileSync(`libs/discovery/docs/simulated-${each.scenario.name}.svg`, chart([each]));
process.stdout.write(
  `\nspread: the largest share of an instance, of the fair share; at the watched: attempts at those that something happens to\ndrawn: ${drawnTo}\n`,
);
