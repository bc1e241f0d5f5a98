const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

type Leave = () => Promise<void>;

/** Every app of this process that has to deregister when the process receives a signal. */
const leaving = new Set<Leave>();

/** The apps of this process are leaving, each within its budget. */
let isLeaving = false;

/**
 * Runs `leave` when the process receives a signal. Nest's own shutdown hooks are for the application to enable; where they are
 * not, the process still leaves the registry before the signal ends it.
 *
 * @returns a function that removes it again
 */
export function onShutdownSignal(leave: Leave): () => void {
  if (leaving.size === 0) listen();
  leaving.add(leave);
  return () => {
    leaving.delete(leave);
    if (leaving.size === 0) unlisten();
  };
}

function listen(): void {
  // Prepended: a `once` listener that ran before would be missing from the count of other listeners.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal);
}

function unlisten(): void {
  for (const signal of SIGNALS) process.removeListener(signal, onSignal);
}

function onSignal(signal: NodeJS.Signals): void {
  const others = process.listenerCount(signal) - 1 - signalExitListeners();
  const apps = [...leaving];
  leaving.clear();
  // A second signal must not interrupt what the first one began.
  if (isLeaving) return;
  isLeaving = true;
  void Promise.all(apps.map((leave) => leave())).finally(() => {
    isLeaving = false;
    unlisten();
    // Another listener, usually Nest's, decides when the process ends, and waits for the same shutdown.
    if (others <= 0) process.kill(process.pid, signal);
  });
}

/**
 * The package signal-exit, a dependency of many tools, listens too, but never ends a process with other listeners. Its
 * versions 3 and 4 publish their number of listeners on `process`.
 */
function signalExitListeners(): number {
  const marked = process as unknown as Record<string | symbol, { count?: number } | undefined>;
  const emitters = [marked.__signal_exit_emitter__, marked[Symbol.for('signal-exit emitter')]];
  return emitters.reduce((sum, emitter) => sum + (emitter?.count ?? 0), 0);
}
