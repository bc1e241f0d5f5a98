// `npm run conformance`: every case on both agents; prints agreement per area, and what differs. Exits 1 on any disagreement.
// `npm run conformance -- acl` runs the areas whose names begin so.
import { randomUUID } from 'node:crypto';
import { aclCases, openCases, slowCases } from './cases/index.js';
import { Pair, type Verdict } from './compare.js';
import type { ConformanceCase } from './conformance-case.js';

const LONGEST_SHOWN = 600;
/** Of what is the same, before the first difference. */
const SHOWN_BEFORE = 120;

const [wanted = ''] = process.argv.slice(2);

async function judge(all: readonly ConformanceCase[], token?: string): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const cases = all.filter(({ area }) => area.startsWith(wanted));
  if (cases.length === 0) return verdicts;
  const pair = await Pair.start(token);
  try {
    for (const subject of cases) {
      const verdict = await pair.judge(subject);
      verdicts.push(verdict);
      if (!verdict.agrees) process.stdout.write(describe(verdict));
    }
  } finally {
    await pair.stop();
  }
  return verdicts;
}

function describe({ case: { area, name }, real, embedded }: Verdict): string {
  const [one, other] = [JSON.stringify(real), JSON.stringify(embedded)];
  let same = 0;
  while (same < one.length && one[same] === other[same]) same++;
  const from = Math.max(0, same - SHOWN_BEFORE);
  const show = (text: string): string => (from > 0 ? '…' : '') + text.slice(from, from + LONGEST_SHOWN);
  return `DIFFERS ${area}: ${name}\n  real      ${show(one)}\n  embedded  ${show(other)}\n`;
}

// The slow ones mostly wait, so they run beside the others.
const slow = judge(slowCases);
const quick = [...(await judge(openCases)), ...(await judge(aclCases, randomUUID()))];
const verdicts = [...quick, ...(await slow)];
const areas = new Map<string, Verdict[]>();
for (const verdict of verdicts)
  areas.set(verdict.case.area, [...(areas.get(verdict.case.area) ?? []), verdict]);
for (const [area, all] of areas) {
  process.stdout.write(`${area.padEnd(18)} ${all.filter(({ agrees }) => agrees).length} of ${all.length}\n`);
}
const agreed = verdicts.filter(({ agrees }) => agrees).length;
process.stdout.write(`agreement: ${agreed} of ${verdicts.length} cases\n`);
process.exitCode = agreed === verdicts.length && agreed > 0 ? 0 : 1;
