import { during, quantile } from './summary.js';
import type { Scenario, SimulatedCall } from './simulation.js';

export interface Drawn {
  readonly scenario: Scenario;
  /** By the name of the strategy. */
  readonly runs: ReadonlyMap<string, readonly SimulatedCall[]>;
}

type Line = readonly (readonly [x: number, y: number])[];

const WIDTH = 420;
const HEIGHT = 150;
const GAP = 56;
const LEFT = 56;
const TOP = 64;
const STEP_MS = 500;
/** Distinguishable with colour blindness: the palette of Okabe and Ito. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];

/** A row for each scenario: the 99th percentile of latency, and the share of calls that the affected instances get. */
export function chart(drawn: readonly Drawn[]): string {
  const rowHeight = HEIGHT + GAP + 34;
  const width = LEFT + 2 * (WIDTH + GAP) + 40;
  const height = TOP + drawn.length * rowHeight + 20;
  const names = [...new Set(drawn.flatMap(({ runs }) => [...runs.keys()]))];
  const colour = (name: string): string => COLOURS[names.indexOf(name) % COLOURS.length] ?? '#000000';
  const legend = names.map((name, at) => {
    const x = LEFT + at * 160;
    return `<rect x="${x}" y="34" width="18" height="4" fill="${colour(name)}"/><text x="${x + 24}" y="40">${escape(name)}</text>`;
  });
  const rows = drawn.map(({ scenario, runs }, row) => {
    const y = TOP + row * rowHeight;
    const title = `<text x="${LEFT}" y="${y + 8}" class="title">${escape(scenario.name)}: ${escape(scenario.story)}</text>`;
    const latency = panel(scenario, runs, colour, 'p99 in ms', LEFT, y + 36, (calls) =>
      quantile(calls, 0.99),
    );
    const load = panel(
      scenario,
      runs,
      colour,
      scenario.watched.length === 1 ? '% of attempts at it' : '% of attempts at them',
      LEFT + WIDTH + GAP + 20,
      y + 36,
      (calls) => shareOf(calls, scenario.watched) * 100,
    );
    return [title, latency, load].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<style>.title { font-weight: 600; font-size: 13px } .axis { fill: #666; font-size: 11px } .grid { stroke: #ddd } .event { stroke: #bbb; stroke-dasharray: 4 3 }</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="20" class="title">Rookery, simulated: latency and load over time, by strategy</text>
${legend.join('\n')}
${rows.join('\n')}
</svg>
`;
}

function shareOf(calls: readonly SimulatedCall[], watched: readonly number[]): number {
  const attempts = calls.flatMap((call) => call.attempts);
  return attempts.length === 0 ? 0 : attempts.filter((n) => watched.includes(n)).length / attempts.length;
}

function panel(
  { durationMs, events }: Scenario,
  runs: Drawn['runs'],
  colour: (name: string) => string,
  label: string,
  left: number,
  top: number,
  measure: (calls: readonly SimulatedCall[]) => number,
): string {
  const lines = new Map<string, Line>();
  for (const [name, calls] of runs) {
    const points: (readonly [number, number])[] = [];
    for (let from = 0; from < durationMs; from += STEP_MS)
      points.push([from + STEP_MS / 2, measure(during(calls, from, from + STEP_MS))]);
    lines.set(
      name,
      points.filter(([, y]) => Number.isFinite(y)),
    );
  }
  const highest = roundUp(Math.max(1, ...[...lines.values()].flatMap((line) => line.map(([, y]) => y))));
  const x = (at: number): number => left + (at / durationMs) * WIDTH;
  const y = (value: number): number => top + HEIGHT - (value / highest) * HEIGHT;
  const grid = [0, 0.5, 1].map((part) => {
    const at = y(highest * part);
    return `<line x1="${left}" x2="${left + WIDTH}" y1="${at}" y2="${at}" class="grid"/><text x="${left - 6}" y="${at + 4}" text-anchor="end" class="axis">${highest * part}</text>`;
  });
  const times = [0, 5, 10, 15, 20, 25]
    .filter((second) => second * 1_000 <= durationMs)
    .map(
      (second) =>
        `<text x="${x(second * 1_000)}" y="${top + HEIGHT + 15}" text-anchor="middle" class="axis">${second} s</text>`,
    );
  const marks = events.map(
    ({ at }) => `<line x1="${x(at)}" x2="${x(at)}" y1="${top}" y2="${top + HEIGHT}" class="event"/>`,
  );
  const drawn = [...lines].map(
    ([name, line]) =>
      `<polyline fill="none" stroke="${colour(name)}" stroke-width="1.6" points="${line.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')}"><title>${escape(name)}</title></polyline>`,
  );
  const axis = `<text x="${left}" y="${top - 6}" class="axis">${escape(label)}</text>`;
  return [axis, ...grid, ...times, ...marks, ...drawn].join('\n');
}

/** To 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
