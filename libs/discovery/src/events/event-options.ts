import { z } from 'zod';
import { integer, type OptionShape } from '../configuration/validate-options.js';

/** What becomes of events, besides those that subscribe to them. */
export interface EventOptions {
  /** A line in Nest's log for each change of state. Default: true. */
  log?: boolean;
  /**
   * Whether a line has its code and its fields as structured parameters, besides its text. Default: true with Nest 12, unless the logger of the
   * app is Nest's own and writes text, which says the same; that of Nest 11 would print them as a line of their own.
   */
  structured?: boolean;
  /** The most lines a minute with the same code; what is beyond is counted in one line at the end of the minute. Default: 30. */
  linesPerMinute?: number;
  /** How many events `DiscoveryEvents.history` has. Default: 1,000. */
  history?: number;
}

const flag = z.boolean({ error: 'must be true or false' });

export const eventOptionsSchema = z.strictObject(
  {
    log: flag.optional(),
    structured: flag.optional(),
    linesPerMinute: integer(1, 10_000).optional(),
    history: integer(0, 100_000).optional(),
  } satisfies OptionShape<EventOptions>,
  { error: 'must be an object such as { linesPerMinute: 10 }' },
);
