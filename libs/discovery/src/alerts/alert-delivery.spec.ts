import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { Alert } from './alert.js';
import { AlertDelivery } from './alert-delivery.js';
import { AlertRefused } from './alert-sink.js';

const alert = (fingerprint: string, endsAt?: number): Alert => ({
  name: 'Test',
  severity: 'warning',
  labels: {},
  summary: `alert ${fingerprint}`,
  fingerprint,
  startsAt: 0,
  endsAt,
});

describe('AlertDelivery', () => {
  let clock: FakeClock;
  let sent: string[][];
  let fails: boolean;
  let hangs: boolean;
  let refused: string | undefined;
  let events: DiscoveryEvent[];
  let warnings: string[];
  let delivery: AlertDelivery;

  beforeEach(() => {
    clock = new FakeClock();
    sent = [];
    fails = false;
    hangs = false;
    refused = undefined;
    events = [];
    warnings = [];
    delivery = new AlertDelivery(
      {
        name: 'sink',
        deduplicates: true,
        repeatEveryMs: undefined,
        send: async (alerts) => {
          if (fails) throw new Error('503');
          if (hangs) await new Promise(() => undefined);
          if (alerts.some(({ fingerprint }) => fingerprint === refused))
            throw new AlertRefused('not this one');
          sent.push(
            alerts.map(
              ({ fingerprint, endsAt }) => `${fingerprint}${endsAt === undefined ? '' : ' resolved'}`,
            ),
          );
        },
      },
      {
        clock,
        random: () => 1,
        emit: (event) => events.push(event),
        warn: (message) => warnings.push(message),
        groupWaitMs: 1_000,
        queue: 5,
      },
    );
  });
  afterEach(async () => {
    await delivery.close(100);
    await settle();
    expect(clock.pending).toBe(0);
  });

  it('makes one message of what comes within the time', async () => {
    delivery.send([alert('a')]);
    await clock.advance(500);
    delivery.send([alert('b'), alert('c')]);
    expect(sent).toEqual([]);
    await clock.advance(500);
    expect(sent).toEqual([['a', 'b', 'c']]);
    expect(delivery.waiting).toBe(0);
  });

  it('keeps what a sink does not take, in order, and says so once', async () => {
    fails = true;
    delivery.send([alert('a')]);
    await clock.advance(30_000);
    delivery.send([alert('a', 30_000), alert('b')]);
    // The same state again is no further alert.
    delivery.send([alert('b')]);
    await clock.advance(30_000);
    expect(delivery.waiting).toBe(3);
    fails = false;
    await clock.advance(31_000);
    expect(sent).toEqual([['a', 'a resolved', 'b']]);
    expect(warnings).toEqual([
      'alerts cannot be sent to sink, 1 are kept, retrying: 503',
      'alerts reach sink again',
    ]);
    expect(events).toEqual([]);
  });

  it('drops the oldest beyond its bound, and says how many', async () => {
    fails = true;
    for (const name of 'abcdefgh') delivery.send([alert(name)]);
    await clock.advance(5_000);
    expect(delivery.waiting).toBe(5);
    expect(events).toEqual([{ type: 'alert.dropped', sink: 'sink', count: 1 }]);
    fails = false;
    await clock.advance(31_000);
    expect(sent).toEqual([['d', 'e', 'f', 'g', 'h']]);
    expect(events.at(-1)).toEqual({ type: 'alert.dropped', sink: 'sink', count: 2 });
  });

  it('keeps the order of an alert that fires again while its end waits', async () => {
    fails = true;
    delivery.send([alert('a')]);
    await clock.advance(2_000);
    delivery.send([alert('a', 5)]);
    delivery.send([{ ...alert('a'), startsAt: 9 }]);
    fails = false;
    await clock.advance(31_000);
    expect(sent).toEqual([['a', 'a resolved', 'a']]);
  });

  it('drops an alert that the sink refuses, and sends the others', async () => {
    refused = 'b';
    delivery.send([alert('a'), alert('b'), alert('c')]);
    await clock.advance(2_000);
    expect(sent).toEqual([['a'], ['c']]);
    expect(events).toEqual([{ type: 'alert.dropped', sink: 'sink', count: 1 }]);
    expect(warnings).toEqual(['sink does not take the alert Test: not this one']);
  });

  it('ends in time where the sink hangs, and says what is lost', async () => {
    hangs = true;
    delivery.send([alert('a'), alert('b')]);
    await clock.advance(1_500);
    const closing = delivery.close(300);
    await clock.advance(300);
    await closing;
    expect(events).toEqual([{ type: 'alert.dropped', sink: 'sink', count: 2 }]);
    await clock.advance(10_000);
  });

  it('sends what waits at the end of the app, and nothing afterwards', async () => {
    delivery.send([alert('a')]);
    await delivery.close(1_000);
    expect(sent).toEqual([['a']]);
    delivery.send([alert('b')]);
    await clock.advance(60_000);
    expect(sent).toHaveLength(1);
  });
});
