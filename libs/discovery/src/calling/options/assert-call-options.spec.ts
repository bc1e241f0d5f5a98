import { describe, expect, it } from '@jest/globals';
import { LoadBalancer } from '../../balancing/load-balancer.js';
import { assertCallOptions, assertKeyIsUsed } from './assert-call-options.js';

class Own extends LoadBalancer {
  override pick(): undefined {
    return undefined;
  }
}

describe('assertCallOptions', () => {
  it.each([
    {},
    { query: { tags: ['v1'] }, timeout: '2s', attemptTimeout: 100, idempotent: false, replayableBody: true },
    { retries: 0, strategy: 'sticky', hedge: true, hashKey: '', signal: new AbortController().signal },
    {
      retries: 10,
      strategy: Own,
      hedge: { delay: '5ms', budget: 1 },
      fallback: () => 1,
      isFailure: () => true,
    },
    { hedge: {}, timeout: undefined },
    { hedge: { budget: 0 } },
  ])('takes what is right: %j', (options) => {
    expect(() => assertCallOptions(options as never)).not.toThrow();
  });

  it.each([
    [{ query: [] }, 'call.query = a value of type object: must be an object such as'],
    [{ query: null }, 'call.query'],
    [{ query: 'v1' }, 'call.query = "v1"'],
    [{ timeout: 'soon' }, 'call.timeout = "soon": must be a duration'],
    [{ timeout: true }, 'call.timeout = true: must be a duration'],
    [{ attemptTimeout: {} }, 'call.attemptTimeout = a value of type object'],
    [{ retries: -1 }, 'call.retries = -1: must be an integer from 0 to 10'],
    [{ retries: 11 }, 'call.retries = 11'],
    [{ retries: 0.5 }, 'call.retries = 0.5'],
    [{ idempotent: 1 }, 'call.idempotent = 1: must be true or false'],
    [{ strategy: 'fastest' }, 'call.strategy = "fastest": must be one of p2c-ewma, '],
    [{ hedge: 1 }, 'call.hedge = 1: must be true, false, or an object such as'],
    [{ hedge: null }, 'call.hedge'],
    [{ hedge: { delay: 'x' } }, 'call.hedge'],
    [{ hedge: { budget: '1' } }, 'call.hedge'],
    [{ hedge: { budget: -0.1 } }, 'call.hedge'],
    [{ hedge: { budget: 1.1 } }, 'call.hedge'],
    [{ hedge: { after: 5 } }, 'call.hedge'],
    [{ hashKey: 7 }, 'call.hashKey = 7: must be a string'],
    [{ signal: {} }, 'call.signal = a value of type object: must be an AbortSignal'],
    [{ signal: null }, 'call.signal'],
    [{ fallback: 'x' }, 'call.fallback = "x": must be a function'],
    [{ isFailure: 'x' }, 'call.isFailure = "x": must be a function'],
    [{ qeury: {} }, 'call.qeury: unknown option'],
  ])('names what is wrong: %j', (options, message) => {
    expect(() => assertCallOptions(options as never)).toThrow(message);
    expect(() => assertCallOptions(options as never)).toThrow(
      expect.objectContaining({ code: 'RK_INVALID_ARGUMENT' }),
    );
  });

  it('knows the options of its user too, and lists all that are known, except those inside', () => {
    expect(() => assertCallOptions({ path: '/' } as never, ['path'])).not.toThrow();
    expect(() => assertCallOptions({ paht: '/' } as never, ['path'])).toThrow(
      expect.objectContaining({
        hint: 'Known here: query, timeout, attemptTimeout, retries, idempotent, strategy, hedge, hashKey, isFailure, fallback, path',
      }),
    );
  });
});

describe('assertKeyIsUsed', () => {
  it('refuses a key that the strategy would ignore', () => {
    expect(() => assertKeyIsUsed('k', 'random')).toThrow('strategy random does not use hashKey');
    for (const [key, strategy] of [
      ['k', 'sticky'],
      ['k', 'consistent-hash'],
      ['k', Own],
      [undefined, 'random'],
    ] as const)
      expect(() => assertKeyIsUsed(key, strategy)).not.toThrow();
  });
});
