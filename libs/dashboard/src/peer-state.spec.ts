import { describe, expect, it } from '@jest/globals';
import { isAppState } from './peer-state.js';

const instance = { key: 'a', id: 'a', state: 'eligible' };
const card = { name: 'books', instances: [instance] };
const state = { app: { id: 'shop-1' }, services: [card] };

describe('isAppState', () => {
  it.each([
    [state],
    [{ ...state, app: { id: 'shop-1', service: 'shop' }, services: [] }],
    [{ ...state, services: [{ ...card, calls: { perSecond: 1, failedPerSecond: 0 } }] }],
  ])('takes %j', (value) => {
    expect(isAppState(JSON.parse(JSON.stringify(value)))).toBe(true);
  });

  it.each([
    [undefined],
    [null],
    ['text'],
    [{ data: state }],
    [{ ...state, app: null }],
    [{ ...state, app: { id: 'a', service: 1 } }],
    [{ ...state, services: {} }],
    [{ ...state, services: [null] }],
    [{ ...state, services: [{ ...card, name: 1 }] }],
    [{ ...state, services: [{ ...card, instances: [null] }] }],
    [{ ...state, services: [{ ...card, instances: [{ ...instance, state: {} }] }] }],
    [{ ...state, services: [{ ...card, calls: null }] }],
    [{ ...state, services: [{ ...card, calls: { perSecond: '1', failedPerSecond: 0 } }] }],
  ])('refuses %j', (value) => {
    expect(isAppState(value)).toBe(false);
  });
});
