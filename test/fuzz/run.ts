// `npm run fuzz [-- 1000000 42]`: as many hostile inputs to all parsers of what comes from outside, with that seed. Exits 1 on a finding.
import { fuzz } from './fuzz.js';
import { TARGETS } from './targets.js';

const [inputs = 1_000_000, seed = Math.floor(Math.random() * 2 ** 31)] = process.argv.slice(2).map(Number);
const SHOWN = 20;

process.stdout.write(`${inputs} inputs to ${TARGETS.length} parsers, seed ${seed}\n`);
let count = 0;
for (const target of TARGETS) {
  const begun = performance.now();
  const findings = await fuzz([target], { inputs: Math.ceil(inputs / TARGETS.length), seed });
  count += findings.length;
  process.stdout.write(
    `${target.name.padEnd(32)} ${String(findings.length).padStart(6)} findings ${((performance.now() - begun) / 1_000).toFixed(1).padStart(8)} s\n`,
  );
  for (const { input, problem } of findings.slice(0, SHOWN))
    process.stdout.write(`  ${problem}\n    ${JSON.stringify(input).slice(0, 300)}\n`);
}
process.exit(count > 0 ? 1 : 0);
