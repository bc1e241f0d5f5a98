import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { toMilliseconds, type Duration } from '../../configuration/duration.js';
import { durationSchema, integer, type OptionShape } from '../../configuration/validate-options.js';
import { urgencyByRule, urgencyOfHeader, type Urgency } from './urgency.js';

/** Which requests a server refuses when it has more than it can answer. */
export interface LoadSheddingOptions {
  /** Requests at a time; `'adaptive'` finds out how many leave the event loop responsive. Default: `'adaptive'`. */
  concurrency?: number | 'adaptive';
  /**
   * How urgent a request is, from 0, refused last, to 7, refused first: a header with such a number, or with `u=` and the number, or a function. Default:
   * `'priority'`, the header of RFC 9218; a request without it has 3.
   */
  urgency?: string | ((request: IncomingMessage) => number);
  /** When callers may come again, in the header `Retry-After`, in whole seconds. Default: `'1s'`. */
  retryAfter?: Duration;
}

export interface SheddingSettings {
  readonly concurrency: number | 'adaptive';
  readonly urgency: Urgency;
  readonly retryAfterSeconds: number;
}

/** @returns undefined: nothing is refused */
export function sheddingSettings(
  options: boolean | LoadSheddingOptions = false,
  warn = (message: string): void => new Logger('LoadShedding').warn(message),
): SheddingSettings | undefined {
  if (options === false) return undefined;
  const {
    concurrency = 'adaptive',
    urgency = 'priority',
    retryAfter = '1s',
  } = options === true ? {} : options;
  return {
    concurrency,
    urgency: typeof urgency === 'string' ? urgencyOfHeader(urgency) : urgencyByRule(urgency, warn),
    retryAfterSeconds: Math.max(1, Math.ceil(toMilliseconds(retryAfter, 'loadShedding.retryAfter') / 1_000)),
  };
}

const concurrency = { error: "must be 'adaptive', or an integer from 1 to 100000" };
const urgency = { error: "must be a header's name, such as 'priority', or a function" };

export const sheddingOptionsSchema = z.union(
  [
    z.boolean(),
    z.strictObject({
      concurrency: z.union([z.literal('adaptive'), integer(1, 100_000)], concurrency).optional(),
      urgency: z
        .union(
          [
            z.string(urgency).regex(/^[\w!#$%&'*+.^`|~-]+$/, urgency),
            z.custom<(request: IncomingMessage) => number>((value) => typeof value === 'function', urgency),
          ],
          urgency,
        )
        .optional(),
      retryAfter: durationSchema().optional(),
    } satisfies OptionShape<LoadSheddingOptions>),
  ],
  { error: 'must be true, false, or an object such as { concurrency: 200 }' },
);
