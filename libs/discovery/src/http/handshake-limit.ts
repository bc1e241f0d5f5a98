import type { buildConnector } from 'undici';

/**
 * TLS handshakes to one instance at a time. Both ends spend more on one than on most requests: when all connections are renewed at once, further requests would
 * each begin another, none of which ends in time.
 */
export const MAX_HANDSHAKES = 4;

/** The code of a connection that was not made in time. */
export const NO_ANSWER = 'UND_ERR_CONNECT_TIMEOUT';

type Request = Parameters<buildConnector.connector>;

/**
 * Makes connections by another connector, a few at a time. An instance that does not answer in time is no better for those that wait: they fail with the first,
 * so that their requests go elsewhere.
 */
export function limitHandshakes(connect: buildConnector.connector): buildConnector.connector {
  const waiting: Request[] = [];
  let running = 0;
  const start = ([options, done]: Request): void => {
    running++;
    let isOver = false;
    const hasEnded = (): boolean => isOver;
    const settle: buildConnector.Callback = (...result) => {
      if (isOver) return;
      isOver = true;
      running--;
      const [error] = result;
      const { code } = (error ?? {}) as NodeJS.ErrnoException;
      const failed = code === NO_ANSWER ? waiting.splice(0) : [];
      const next = running < MAX_HANDSHAKES ? waiting.shift() : undefined;
      if (next) start(next);
      if (error) for (const [, fail] of failed) fail(error, null);
      done(...result);
    };
    try {
      connect(options, settle);
    } catch (error) {
      // Of certificates that cannot be used; what the caller throws is its own.
      if (hasEnded()) throw error;
      settle(error as Error, null);
    }
  };
  return (options, done) => {
    if (running < MAX_HANDSHAKES) start([options, done]);
    else waiting.push([options, done]);
  };
}
