// What a pick costs, beside the balancers of others. One process for each implementation and size, one at a time, in shuffled order.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { IMPLEMENTATIONS } from './implementations.mjs';

const SIZES = [10, 100, 1_000, 10_000];
const MOST_GROWTH = 3;
const MOST_BYTES = 1;
/** What the cost among 10,000 is compared with; prequal compares sixteen, and has fewer among ten. */
const few = (impl) => (impl.includes('prequal') ? 100 : 10);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export function benchPick() {
  const cells = Object.keys(IMPLEMENTATIONS).flatMap((impl) =>
    SIZES.map((instances) => ({ impl, instances })),
  );
  const shuffled = cells
    .map((cell) => ({ cell, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ cell }) => cell);
  const rows = shuffled.map((cell) => {
    const { stdout, status, stderr } = spawnSync(
      process.execPath,
      // No garbage collection during the measurement, so that allocations are counted.
      [
        '--expose-gc',
        '--min-semi-space-size=64',
        '--max-semi-space-size=64',
        here('pick.mjs'),
        cell.impl,
        String(cell.instances),
      ],
      { encoding: 'utf8', timeout: 120_000 },
    );
    if (status !== 0) throw new Error(`${cell.impl} with ${cell.instances}: ${stderr}`);
    return { ...cell, ...JSON.parse(stdout) };
  });
  const order = Object.keys(IMPLEMENTATIONS);
  rows.sort((a, b) => order.indexOf(a.impl) - order.indexOf(b.impl) || a.instances - b.instances);
  mkdirSync(here('../results'), { recursive: true });
  writeFileSync(here('../results/pick.json'), `${JSON.stringify(rows, null, 2)}\n`);

  const of = (impl, instances) => rows.find((row) => row.impl === impl && row.instances === instances);
  const cell = ({ ns, bytes }) => `${ns.toFixed(ns < 100 ? 1 : 0)} (${bytes.toFixed(0)})`.padStart(16);
  console.log(
    `ns, and bytes allocated, for a pick among a number of instances\n${''.padEnd(34)}${SIZES.map((n) => String(n).padStart(16)).join('')}    growth`,
  );
  for (const impl of order) {
    const growth = of(impl, 10_000).ns / of(impl, few(impl)).ns;
    console.log(
      `${impl.padEnd(34)}${SIZES.map((n) => cell(of(impl, n))).join('')} ${growth.toFixed(1).padStart(9)}`,
    );
  }
  const ours = order.filter((impl) => impl.startsWith('rookery'));
  const grown = ours.filter((impl) => of(impl, 10_000).ns > MOST_GROWTH * of(impl, few(impl)).ns);
  const allocating = ours.filter((impl) => SIZES.some((n) => of(impl, n).bytes > MOST_BYTES));
  console.log(
    `\nRookery's that cost more than ${MOST_GROWTH} times as much among 10,000 as among 10 (prequal: 100): ${grown.join(', ') || 'none'}`,
  );
  console.log(`Rookery's that allocate: ${allocating.join(', ') || 'none'}`);
  console.log('written: test/bench/results/pick.json');
  if (grown.length > 0 || allocating.length > 0) process.exitCode = 1;
}
