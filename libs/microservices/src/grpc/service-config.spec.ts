import { describe, expect, it } from '@jest/globals';
import { serviceConfigOf } from './service-config.js';

const picks = (retries: number, ratio = 0.2) =>
  ({ settings: { retries }, retryBudget: { ratio, perSecond: 10 } }) as Parameters<typeof serviceConfigOf>[0];

describe('serviceConfigOf', () => {
  it('retries on unavailable only, as often as the options say, within the budget', () => {
    expect(serviceConfigOf(picks(1))).toEqual({
      loadBalancingConfig: [{ rookery: {} }],
      methodConfig: [
        {
          name: [{}],
          retryPolicy: {
            maxAttempts: 2,
            initialBackoff: '0.025s',
            maxBackoff: '0.25s',
            backoffMultiplier: 2,
            retryableStatusCodes: ['UNAVAILABLE'],
          },
        },
      ],
      retryThrottling: { maxTokens: 1_000, tokenRatio: 0.2 },
    });
  });

  it('makes five attempts at most, as gRPC does, and one where there are no retries', () => {
    expect(serviceConfigOf(picks(9)).methodConfig[0]?.retryPolicy.maxAttempts).toBe(5);
    expect(serviceConfigOf(picks(0))).toEqual({
      ...{ loadBalancingConfig: [{ rookery: {} }], methodConfig: [] },
      retryThrottling: { maxTokens: 1_000, tokenRatio: 0.2 },
    });
  });
});
