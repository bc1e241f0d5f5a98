import type { IncomingMessage } from 'node:http';
import { errorMessage } from '../../errors/error-message.js';

/** How urgent a request is, from 0, the most urgent, to 7, as in RFC 9218. */
export type Urgency = (request: IncomingMessage) => number;

/** RFC 9218, section 4.1: of a request that does not say. */
export const DEFAULT_URGENCY = 3;
const LEAST = 7;
const MORE_STEP = 0.1;
const LESS_STEP = 0.2;

/** Reads a header, as `u=5` in the `Priority` header of RFC 9218, or as a number. */
export function urgencyOfHeader(name: string): Urgency {
  const lower = name.toLowerCase();
  return ({ headers }) => {
    const { [lower]: value } = headers;
    const [, level] =
      typeof value === 'string' ? (/(?:^|[\s,])(?:u=)?([0-7])(?=$|[\s,;])/.exec(value) ?? []) : [];
    return level === undefined ? DEFAULT_URGENCY : Number(level);
  };
}

/**
 * Of a rule of the application's: one that throws, or returns no number, must not cost the request.
 *
 * @param warn is told once
 */
export function urgencyByRule(
  rule: (request: IncomingMessage) => unknown,
  warn: (message: string) => void,
): Urgency {
  let hasWarned = false;
  const failed = (reason: string): number => {
    if (!hasWarned) warn(`loadShedding.urgency ${reason}: the request has ${DEFAULT_URGENCY}`);
    hasWarned = true;
    return DEFAULT_URGENCY;
  };
  return (request) => {
    try {
      const urgency = rule(request);
      if (typeof urgency === 'number') return urgency;
      if (urgency instanceof Promise) urgency.catch(() => undefined);
      return failed('returned no number');
    } catch (error) {
      return failed(`threw: ${errorMessage(error)}`);
    }
  };
}

/** The part of a limit that requests of an urgency may use: where those of the default have all of it, there is still room for more urgent ones. */
export function shareOf(urgency: number): number {
  if (!(urgency >= 0)) return 1;
  const steps = DEFAULT_URGENCY - Math.min(urgency, LEAST);
  return 1 + steps * (steps > 0 ? MORE_STEP : LESS_STEP);
}
