const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Runs `leave` when the process is told to end. Nest's own shutdown hooks are the application's to enable; where it did
 * not, the process still leaves the registry before the signal ends it.
 *
 * @returns a function that stops listening
 */
export function onShutdownSignal(leave: () => Promise<void>): () => void {
  const listener = (signal: NodeJS.Signals): void => {
    release();
    // Somebody else, Nest as a rule, decides when the process ends, and waits for us in its own shutdown.
    const othersEndIt = process.listenerCount(signal) > 0;
    void leave().finally(() => {
      if (!othersEndIt) process.kill(process.pid, signal);
    });
  };
  const release = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, listener);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return release;
}
