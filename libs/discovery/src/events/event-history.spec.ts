import { describe, expect, it } from '@jest/globals';
import { DiscoveryEvents } from './discovery-events.js';
import { EventHistory } from './event-history.js';

const event = (sequence: number) =>
  ({ type: 'circuit.closed', service: 'a', timestamp: sequence, sequence }) as const;

describe('EventHistory', () => {
  it.each([
    [0, []],
    [1, [7]],
    [3, [5, 6, 7]],
    [7, [1, 2, 3, 4, 5, 6, 7]],
    [100, [1, 2, 3, 4, 5, 6, 7]],
  ])('of %i events keeps the last, oldest first', (size, kept) => {
    const history = new EventHistory(size);
    for (let n = 1; n <= 7; n++) history.add(event(n));
    expect(history.all.map(({ sequence }) => sequence)).toEqual(kept);
  });

  it('numbers the events of a process, which a late subscriber finds', () => {
    const events = new DiscoveryEvents(2);
    const seen: number[] = [];
    events.events$.subscribe(({ sequence }) => seen.push(sequence));
    for (const service of ['a', 'b', 'c']) events.emit({ type: 'circuit.closed', service });
    expect(seen).toEqual([1, 2, 3]);
    expect(events.history).toMatchObject([
      { service: 'b', sequence: 2 },
      { service: 'c', sequence: 3 },
    ]);
    events.close();
  });
});
