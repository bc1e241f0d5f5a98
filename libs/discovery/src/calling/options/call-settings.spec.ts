import { describe, expect, it } from '@jest/globals';
import type { CertificateSource } from '../../certificates/certificate-source.js';
import { callSettings, serviceSettings } from './call-settings.js';
import type { ServicePolicy } from './client-options.js';
import { httpSettings } from './http-options.js';

const settingsOf = (policy: ServicePolicy) => serviceSettings({ services: { library: policy } }, 'library');

describe('the settings of a service', () => {
  it('have the defaults that the documentation gives', () => {
    expect(serviceSettings({}, 'library')).toEqual({
      call: {
        ...{ timeoutMs: 10_000, attemptTimeoutMs: 5_000, retries: 1, strategy: 'p2c-ewma' },
        ...{ hedge: undefined, isFailure: undefined },
      },
      http: {
        ...{ maxContentLength: 67_108_864, streamIdleMs: 60_000, contextPath: false, redirects: 'instance' },
        connection: { maxConnections: 64, tls: undefined },
      },
      outlierRules: {
        ...{ consecutiveFailures: 5, baseEjectionMs: 30_000, maxEjectionMs: 300_000, successRate: true },
      },
      slowStart: true,
      retryBudget: { ratio: 0.2, perSecond: 10 },
      circuitBreaker: undefined,
      bulkhead: undefined,
      loadProbes: { perSecond: 20 },
    });
  });

  it('are those of all services, and its own over them, one by one', () => {
    const options = {
      ...{ zone: 'a', retries: 3, timeout: '2s', slowStart: false },
      services: { library: { retries: 0, timeout: undefined }, other: { retries: 5 } },
    };
    expect(serviceSettings(options, 'library')).toMatchObject({
      call: { retries: 0, timeoutMs: 2_000 },
      slowStart: false,
    });
    expect(serviceSettings(options, 'unknown').call.retries).toBe(3);
  });

  it('turn each part on and off, and change some of it', () => {
    expect(settingsOf({ outlierDetection: false }).outlierRules).toBeUndefined();
    expect(settingsOf({ outlierDetection: true }).outlierRules?.consecutiveFailures).toBe(5);
    const outlierDetection = {
      ...{ consecutiveFailures: 3, baseEjectionTime: '1s', maxEjectionTime: 2_000, successRate: false },
    };
    expect(settingsOf({ outlierDetection }).outlierRules).toEqual({
      ...{ consecutiveFailures: 3, baseEjectionMs: 1_000, maxEjectionMs: 2_000, successRate: false },
    });
    expect(settingsOf({ retryBudget: { ratio: 0.5 } }).retryBudget).toEqual({ ratio: 0.5, perSecond: 10 });
    expect(settingsOf({ retryBudget: { perSecond: 1 } }).retryBudget).toEqual({ ratio: 0.2, perSecond: 1 });
    expect(settingsOf({ loadProbes: { perSecond: 5 } }).loadProbes).toEqual({ perSecond: 5 });
    expect(settingsOf({ bulkhead: { concurrency: 5 } }).bulkhead).toEqual({ concurrency: 5, queue: 0 });
    expect(settingsOf({ bulkhead: { concurrency: 5, queue: 9 } }).bulkhead?.queue).toBe(9);
    expect(settingsOf({ circuitBreaker: false }).circuitBreaker).toBeUndefined();
    expect(settingsOf({ circuitBreaker: true }).circuitBreaker).toEqual({
      ...{ failureRate: 0.5, minimumCalls: 20, windowMs: 10_000, openMs: 5_000 },
    });
    const circuitBreaker = { failureRate: 0.1, minimumCalls: 2, window: '1s', openFor: '3s' } as const;
    expect(settingsOf({ circuitBreaker }).circuitBreaker).toEqual({
      ...{ failureRate: 0.1, minimumCalls: 2, windowMs: 1_000, openMs: 3_000 },
    });
    expect(settingsOf({ hedge: true }).call.hedge).toEqual({ delayMs: undefined, budget: 0.05 });
    expect(settingsOf({ hedge: { delay: 50, budget: 0.5 } }).call.hedge).toEqual({
      delayMs: 50,
      budget: 0.5,
    });
    expect(settingsOf({ hedge: false }).call.hedge).toBeUndefined();
  });

  it('have the certificates of all services under the name of one', () => {
    const certificates: CertificateSource = { current: () => ({}) };
    const options = {
      tls: { certificates },
      services: { library: { tls: { serverName: 'library.internal', certificates: undefined } }, other: {} },
    };
    expect(serviceSettings(options as never, 'library').http.connection).toMatchObject({
      maxConnections: 64,
      tls: { certificates, serverName: 'library.internal', verify: true },
    });
    const [one, same] = ['other', 'another'].map((name) => serviceSettings(options as never, name));
    expect(one?.http.connection.tls).toMatchObject({ certificates, serverName: undefined });
    // They share their connections.
    expect(one?.http.connection.tls).toBe(same?.http.connection.tls);
    expect(settingsOf({ tls: { certificates } }).http.connection.tls).toBe(one?.http.connection.tls);
    expect(settingsOf({ tls: { serverName: 'x' } }).http.connection.tls?.certificates).toBeUndefined();
    expect(settingsOf({ maxConnections: 3 }).http.connection).toEqual({ maxConnections: 3, tls: undefined });
  });

  it('are as HTTP needs them: each option, and its value for no limit', () => {
    const http = {
      maxContentLength: 1_000,
      streamIdleTimeout: '5s',
      contextPath: true,
      redirects: 'any',
    } as const;
    expect(settingsOf(http).http).toMatchObject({
      ...{ maxContentLength: 1_000, streamIdleMs: 5_000, contextPath: true, redirects: 'any' },
    });
    const defaults = settingsOf(http).http;
    expect(httpSettings({}, defaults)).toBe(defaults);
    expect(httpSettings({ maxContentLength: -1 }, defaults)).toEqual({
      ...defaults,
      maxContentLength: Infinity,
    });
    expect(httpSettings({ streamIdleTimeout: 0 }, defaults)).toEqual({ ...defaults, streamIdleMs: Infinity });
    expect(httpSettings({ contextPath: false }, defaults)).toEqual({ ...defaults, contextPath: false });
    expect(httpSettings({ redirects: 'instance' }, defaults)).toEqual({ ...defaults, redirects: 'instance' });
  });
});

describe('the settings of a call', () => {
  const { call: defaults } = settingsOf({
    ...{ timeout: 8_000, attemptTimeout: 4_000, retries: 2, strategy: 'random', hedge: true },
    isFailure: () => false,
  });

  it('are those of its service where it has none', () => {
    expect(callSettings(defaults, {})).toBe(defaults);
  });

  it.each([
    [{ timeout: '1s' }, { timeoutMs: 1_000 }],
    [{ attemptTimeout: 500 }, { attemptTimeoutMs: 500 }],
    [{ retries: 0 }, { retries: 0 }],
    [{ strategy: 'sticky' }, { strategy: 'sticky' }],
    [{ hedge: false }, { hedge: undefined }],
    // What a timer can wait for, at most.
    [{ timeout: '999h' }, { timeoutMs: 2 ** 31 - 1_000 }],
  ] as const)('differ by %j only', (options, changed) => {
    expect(callSettings(defaults, options)).toEqual({ ...defaults, ...changed });
  });

  it('have their own judgement of failures', () => {
    const isFailure = (): boolean => true;
    expect(callSettings(defaults, { isFailure })).toEqual({ ...defaults, isFailure });
  });

  it.each([
    [{ timeout: 0 }, 'call.timeout = 0: must be greater than 0'],
    [{ attemptTimeout: '0s' }, 'call.attemptTimeout = "0s": must be greater than 0'],
    [{ hedge: { delay: 0 } }, 'call.hedge.delay = 0: must be greater than 0'],
  ])('name a duration that is none: %j', (options, message) => {
    expect(() => callSettings(defaults, options)).toThrow(message);
    expect(() => callSettings(defaults, options)).toThrow(
      expect.objectContaining({
        code: 'RK_INVALID_ARGUMENT',
        hint: expect.stringContaining('every call has a deadline'),
      }),
    );
  });
});
