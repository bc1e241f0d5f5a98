import type { Scenario, SimulatedEvent } from './simulation.js';

const SECOND = 1_000;
const model = { workers: 2, serviceMs: 10 };
const ten = { clients: 10, instances: 10, load: 0.4, model, durationMs: 25 * SECOND } as const;
const first = [0];

/** Scenarios in the manner of Finagle's simulations: faults of the instances of a service, as its callers see them. */
export const SCENARIOS: readonly Scenario[] = [
  { ...ten, name: 'well', story: 'nothing happens', events: [], watched: first },
  {
    ...ten,
    name: 'cold-start',
    story: 'all instances are new, and twice as slow for two seconds',
    events: [
      { at: 0, behaviour: { slowdown: 2 } },
      { at: 2 * SECOND, behaviour: {} },
    ],
    watched: first,
  },
  {
    ...ten,
    name: 'one-slow',
    story: 'one instance answers 100 ms late from 5 s to 15 s',
    events: [
      { at: 5 * SECOND, instances: first, behaviour: { extraMs: 100 } },
      { at: 15 * SECOND, instances: first, behaviour: {} },
    ],
    watched: first,
  },
  {
    ...ten,
    name: 'pauses',
    story:
      'three instances of 2 ms, one 40 ms late; every five seconds all pause, or their caller does, for 60 ms',
    clients: 1,
    instances: 3,
    load: 0.03,
    model: { workers: 4, serviceMs: 2 },
    events: [
      { at: 0, instances: first, behaviour: { extraMs: 40 } },
      ...[5, 10, 15, 20].flatMap((at): SimulatedEvent[] => [
        { at: at * SECOND, instances: first, behaviour: { extraMs: 100 } },
        { at: at * SECOND, instances: [1, 2], behaviour: { extraMs: 60 } },
        { at: at * SECOND + 60, instances: first, behaviour: { extraMs: 40 } },
        { at: at * SECOND + 60, instances: [1, 2], behaviour: {} },
      ]),
    ],
    watched: first,
  },
  {
    ...ten,
    name: 'failing-fast',
    story: 'one instance answers 503 at once from 5 s to 15 s',
    events: [
      { at: 5 * SECOND, instances: first, behaviour: { fails: '503' } },
      { at: 15 * SECOND, instances: first, behaviour: {} },
    ],
    watched: first,
  },
  {
    ...ten,
    name: 'restart',
    story: 'one instance refuses connections from 5 s to 8 s, and the registry does not know',
    events: [
      { at: 5 * SECOND, instances: first, behaviour: { fails: 'refuse' } },
      { at: 8 * SECOND, instances: first, behaviour: {} },
    ],
    watched: first,
  },
  {
    ...ten,
    name: 'dead',
    story: 'one instance is dead from 5 s on, and the registry does not know',
    events: [{ at: 5 * SECOND, instances: first, behaviour: { fails: 'refuse' } }],
    watched: first,
  },
  {
    ...ten,
    name: 'outage',
    story: 'all instances fail from 5 s to 15 s',
    events: [
      { at: 5 * SECOND, behaviour: { fails: '503' } },
      { at: 15 * SECOND, behaviour: {} },
    ],
    watched: first,
  },
  {
    ...ten,
    name: 'zones',
    story: 'one instance in the first zone, nine in each of two others, as many clients in each',
    clients: 9,
    instances: 19,
    zoneOf: (n) => (n === 0 ? 'a' : n < 10 ? 'b' : 'c'),
    zoneOfClient: (n) => ['a', 'b', 'c'][n % 3] ?? 'a',
    events: [],
    watched: first,
  },
  {
    ...ten,
    name: 'scaling',
    story: 'five instances come at 5 s, cold for two seconds, and five others go at 15 s',
    spare: 5,
    load: 0.5,
    events: [
      { at: 5 * SECOND, instances: [10, 11, 12, 13, 14], registry: 'add', behaviour: { slowdown: 5 } },
      { at: 7 * SECOND, instances: [10, 11, 12, 13, 14], behaviour: {} },
      { at: 15 * SECOND, instances: [0, 1, 2, 3, 4], registry: 'remove' },
      { at: 16 * SECOND, instances: [0, 1, 2, 3, 4], behaviour: { fails: 'refuse' } },
    ],
    watched: [10, 11, 12, 13, 14],
  },
];
