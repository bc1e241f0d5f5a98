import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Deadline in milliseconds: generous, the machine is shared. Default: 15 s. */
  within?: number;
  /** Pause between two checks, in milliseconds. Default: 20. */
  every?: number;
}

/** Repeats the check until it neither throws nor returns false or undefined; its last failure is the error. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { within = 15_000, every = 20 }: EventuallyOptions = {},
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + within;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const result = await check();
      if (result !== false && result !== undefined) return result as Exclude<T, false | undefined>;
      last = new Error(`it stayed ${String(result)}`);
    } catch (error) {
      last = error;
    }
    await sleep(every);
  }
  throw new Error(`not within ${within} ms: ${last instanceof Error ? last.message : String(last)}`, {
    cause: last,
  });
}
