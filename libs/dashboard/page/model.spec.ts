import { describe, expect, it } from '@jest/globals';
import type { AppState, InstanceCard, ServiceCard } from '../src/dashboard-state.js';
import {
  applyPatch,
  disagreementsOf,
  duration,
  edgesOf,
  filterOf,
  matches,
  milliseconds,
  NO_FILTER,
  searchOf,
  severityOfEvent,
  severityOfService,
  sorted,
  sparkline,
  stripOf,
  totalsOf,
} from './model.js';

const instance = (id: string, state = 'eligible', more: Partial<InstanceCard> = {}): InstanceCard => ({
  key: id,
  id,
  address: '10.0.0.1:80',
  state,
  reason: '',
  since: 0,
  zone: undefined,
  weight: 1,
  latencyMs: undefined,
  successRate: undefined,
  inFlight: undefined,
  history: [],
  ...more,
});
const card = (
  name: string,
  instances: readonly InstanceCard[],
  more: Partial<ServiceCard> = {},
): ServiceCard => ({
  name,
  usable: instances.filter(({ state }) => state === 'eligible').length,
  ageMs: 0,
  error: undefined,
  calls: undefined,
  rates: [],
  latencies: [],
  failures: [],
  circuit: undefined,
  instances,
  ...more,
});
const calls = (perSecond: number, failedPerSecond = 0) => ({
  perSecond,
  failedPerSecond,
  p50Ms: 1,
  p99Ms: 2,
  inFlight: 0,
});
const app = (id: string, service: string, services: readonly ServiceCard[]): AppState => ({
  app: { id, service, pid: 1, host: 'h', startedAt: 0 },
  at: 0,
  registrations: [],
  services,
  sections: {},
  operations: false,
  scope: 'app',
});

describe('the model of the page', () => {
  it('judges a service by its instances, and by what keeps calls from it', () => {
    const well = instance('a');
    expect(severityOfService(card('s', [well]))).toBe(0);
    expect(severityOfService(card('s', [well, instance('b', 'maintenance')]))).toBe(1);
    expect(severityOfService(card('s', [well, instance('b', 'ejected')]))).toBe(2);
    expect(severityOfService(card('s', [well, instance('b', 'eligible', { successRate: 0.5 })]))).toBe(2);
    expect(severityOfService(card('s', [instance('b', 'critical')]))).toBe(3);
    expect(severityOfService(card('s', [well], { circuit: 'open' }))).toBe(3);
    expect(severityOfService(card('s', [well], { error: 'no answer' }))).toBe(2);
    expect(sorted([card('b', [well]), card('c', []), card('a', [well])]).map(({ name }) => name)).toEqual([
      'c',
      'a',
      'b',
    ]);
  });

  it('applies what has changed, and keeps the rest as it is', () => {
    const kept = card('a', [instance('1')]);
    const before = app('x', 'x', [kept, card('b', []), card('c', [])]);
    const next = card('b', [instance('2')]);
    const after = applyPatch(before, { at: 5, services: [next, card('d', [])], removed: ['c'] });
    expect(after.services.map(({ name }) => name)).toEqual(['a', 'b', 'd']);
    expect(after.services[0]).toBe(kept);
    expect(after.services[1]).toBe(next);
    expect(after.at).toBe(5);
  });

  it('adds up', () => {
    const services = [
      card('a', [instance('1'), instance('2', 'ejected')], { calls: calls(10, 1) }),
      card('b', [instance('3', 'critical')], { calls: calls(2.5) }),
    ];
    expect(totalsOf(services)).toEqual({
      services: 2,
      instances: 3,
      failing: 2,
      ejected: 1,
      perSecond: 12.5,
      failedPerSecond: 1,
    });
  });

  it('has its filters in a link', () => {
    const filter = { text: 'a b', troubled: true, events: 'lock', open: 's/i-1', board: true };
    expect(filterOf(searchOf(filter))).toEqual(filter);
    expect(searchOf(NO_FILTER)).toBe('');
    expect(filterOf('')).toEqual(NO_FILTER);
  });

  it('finds by name, instance and address', () => {
    const one = card('Orders', [instance('orders-7')]);
    for (const text of ['order', 'ORDERS-7', '10.0.0.1', ''])
      expect(matches(one, { ...NO_FILTER, text })).toBe(true);
    expect(matches(one, { ...NO_FILTER, text: 'books' })).toBe(false);
    expect(matches(one, { ...NO_FILTER, troubled: true })).toBe(false);
  });

  it('knows which service calls which, of all apps together', () => {
    const states = [
      app('shop-1', 'shop', [card('books', [], { calls: calls(3, 1) }), card('idle', [])]),
      app('shop-2', 'shop', [card('books', [], { calls: calls(4) })]),
      app('books-1', 'books', [card('books', [], { calls: calls(9) })]),
    ];
    expect(edgesOf(states)).toEqual([{ from: 'shop', to: 'books', perSecond: 7, failedPerSecond: 1 }]);
  });

  it('finds what apps do not see alike, and not what is merely called otherwise', () => {
    const states = [
      app('shop-1', 'shop', [card('books', [instance('b-1'), instance('b-2')])]),
      app('shop-2', 'shop', [card('books', [instance('b-1', 'ejected'), instance('b-2', 'other-zone')])]),
    ];
    expect(disagreementsOf(states)).toEqual([
      { service: 'books', instance: 'b-1', states: { eligible: ['shop-1'], ejected: ['shop-2'] } },
    ]);
  });

  it('survives a state that no app of ours has', () => {
    const states = [app('shop-1', 'shop', [card('books', [instance('b-1', '__proto__')])])];
    expect(disagreementsOf(states)).toEqual([]);
  });

  it('draws strips and lines within their boxes', () => {
    const history = [
      [0, 'eligible'],
      [600, 'critical'],
      [900, 'eligible'],
    ] as const;
    expect(stripOf({ history }, 1_000, 500)).toEqual([
      { from: 0, to: 0.2, state: 'eligible' },
      { from: 0.2, to: 0.8, state: 'critical' },
      { from: 0.8, to: 1, state: 'eligible' },
    ]);
    expect(sparkline([0, 5, 10], 100, 20, 5)).toBe('M50.0 19.0L75.0 10.0L100.0 1.0');
    expect(sparkline([0, 0], 100, 20, 5)).toBe('');
    expect(sparkline([1], 100, 20, 5)).toBe('');
  });

  it('writes numbers as people read them', () => {
    expect([0, 59_400, 61_000, 3_700_000, 200_000_000].map(duration)).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '1 h',
      '2 d',
    ]);
    expect([undefined, 3.21, 42.4, 1_500].map(milliseconds)).toEqual(['–', '3.2 ms', '42 ms', '1.5 s']);
  });

  it('marks events', () => {
    const of = (type: string, more: object = {}) =>
      severityOfEvent({ type, timestamp: 0, sequence: 0, ...more });
    expect(of('instance.ejected')).toBe(3);
    expect(of('list.suspect')).toBe(2);
    expect(of('circuit.closed')).toBe(0);
    expect(of('instance.status', { to: 'critical' })).toBe(3);
    expect(of('instance.status', { to: 'passing' })).toBe(0);
  });
});
