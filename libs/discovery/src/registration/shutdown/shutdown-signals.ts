const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** The apps of this process are on their way out, each within its budget. */
let isLeaving = false;

type Leave = () => Promise<void>;

/** Every app of this process that is to leave the registry when the process is told to end. */
const leaving = new Set<Leave>();

/**
 * Runs `leave` when the process is told to end. Nest's own shutdown hooks are the application's to enable; where it did
 * not, the process still leaves the registry before the signal ends it.
 *
 * @returns a function that takes it out again
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
  // First in line: a listener that is there once would be gone from the count when it is our turn.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal);
}

function unlisten(): void {
  for (const signal of SIGNALS) process.removeListener(signal, onSignal);
}

function onSignal(signal: NodeJS.Signals): void {
  const others = process.listenerCount(signal) - 1 - signalExitListeners();
  const apps = [...leaving];
  leaving.clear();
  // A second signal finds nobody left to ask, and must not end what the first one began.
  if (isLeaving) return;
  isLeaving = true;
  void Promise.all(apps.map((leave) => leave())).finally(() => {
    isLeaving = false;
    unlisten();
    // Somebody else, Nest as a rule, decides when the process ends, and waits for us in its own shutdown.
    if (others <= 0) process.kill(process.pid, signal);
  });
}

/**
 * The package signal-exit listens too, in many a process, and steps back while anybody else does: it never ends a
 * process that others keep. Its versions 3 and 4 leave their count on `process`.
 */
function signalExitListeners(): number {
  const marked = process as unknown as Record<string | symbol, { count?: number } | undefined>;
  const emitters = [marked.__signal_exit_emitter__, marked[Symbol.for('signal-exit emitter')]];
  return emitters.reduce((sum, emitter) => sum + (emitter?.count ?? 0), 0);
}
