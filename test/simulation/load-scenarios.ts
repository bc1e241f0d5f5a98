import type { Behaviour } from './simulated-instance.js';
import type { Scenario } from './simulation.js';

const SECOND = 1_000;
const twenty = {
  instances: 20,
  load: 0.9,
  model: { workers: 2, serviceMs: 10 },
  durationMs: 25 * SECOND,
  measureFrom: 5 * SECOND,
  events: [],
  watched: [0, 1],
} as const;
const halfSpeed = (n: number): number => (n < 2 ? 0.5 : 1);

const reporting = (name: string, story: string, behaviours: readonly Behaviour[]): Scenario => ({
  ...twenty,
  name,
  story,
  clients: 20,
  speedOf: halfSpeed,
  events: behaviours.map((behaviour, n) => ({
    at: 0,
    instances: Array.from({ length: twenty.instances }, (_, each) => each).filter(
      (each) => each % behaviours.length === n,
    ),
    behaviour,
  })),
});

const fails: Behaviour = { fails: '503' };

/** What strategies that know the load of servers are compared in: near the limit, where a queue is what a call waits for. */
export const LOAD_SCENARIOS: readonly Scenario[] = [
  ...[60, 20, 3].map((clients) => ({
    ...twenty,
    name: 'half-speed',
    story: 'two of twenty instances are half as fast',
    clients,
    speedOf: halfSpeed,
  })),
  ...[60, 20, 3].map((clients) => ({
    ...twenty,
    name: 'equal',
    story: 'twenty instances, all as fast',
    clients,
    watched: [0],
  })),
  {
    ...twenty,
    name: 'failing',
    story: 'two of twenty answer 503 at once, from 10 s on, and nothing is ejected',
    clients: 60,
    load: 0.7,
    events: [{ at: 10 * SECOND, instances: [0, 1], behaviour: fails }],
  },
  ...[false, true].map((isHalf) => ({
    ...twenty,
    name: isHalf ? 'heavy-half-speed' : 'heavy',
    story: isHalf
      ? 'calls of half a second, few of them; one of ten half as fast'
      : 'calls of half a second, few of them',
    clients: 5,
    instances: 10,
    load: 0.6,
    model: { workers: 1, serviceMs: 500 },
    durationMs: 300 * SECOND,
    measureFrom: 20 * SECOND,
    ...(isHalf ? { speedOf: (n: number) => (n === 0 ? 0.5 : 1) } : {}),
    watched: [0],
  })),
  {
    ...twenty,
    name: 'first-second',
    story: 'the first second of twenty clients, and all instances as fast',
    clients: 20,
    load: 0.8,
    durationMs: SECOND,
    measureFrom: 0,
    watched: [0],
  },
  {
    ...twenty,
    name: 'starting',
    story: 'the first five seconds of twenty clients, two of twenty instances half as fast',
    clients: 20,
    speedOf: halfSpeed,
    durationMs: 5 * SECOND,
    measureFrom: 0,
  },
  {
    ...twenty,
    name: 'scaling',
    story: 'ten of thirty instances come at 10 s, measured for five seconds',
    clients: 20,
    spare: 10,
    load: 0.9,
    events: [{ at: 10 * SECOND, instances: [20, 21, 22, 23, 24, 25, 26, 27, 28, 29], registry: 'add' }],
    durationMs: 15 * SECOND,
    measureFrom: 10 * SECOND,
    watched: [20, 21, 22, 23, 24, 25, 26, 27, 28, 29],
  },
  reporting('reports-absent', 'no instance reports its load', [{ report: '' }]),
  reporting('reports-of-half', 'every other instance reports its load', [{}, { report: '' }]),
  reporting('reports-stale', 'each report says what was at the beginning', [
    { report: text(2) },
    { report: text(9) },
  ]),
  reporting('reports-absurd', 'each report has values that cannot be true, or is in another format', [
    { report: 'TEXT application_utilization=NaN, rps_fractional=NaN, named_metrics.in_flight=NaN' },
    { report: 'TEXT application_utilization=-1, rps_fractional=-5, named_metrics.in_flight=-3' },
    { report: 'TEXT application_utilization=1e308, rps_fractional=1e308, named_metrics.in_flight=1e308' },
    { report: `TEXT named_metrics.x=${'9'.repeat(10_000)}` },
    { report: 'JSON {"cpu_utilization":0.1}' },
  ]),
  reporting('reports-hostile', 'one of ten says that it is idle', [
    { report: text(0) },
    ...Array.from({ length: 9 }, () => ({})),
  ]),
];

function text(inFlight: number): string {
  return `TEXT named_metrics.in_flight=${inFlight}`;
}
