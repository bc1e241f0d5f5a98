import { setMaxListeners } from 'node:events';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import type { Clock } from '../../timing/clock.js';
import { withScopedSignal } from '../../timing/scoped-signal.js';
import type { WatchedLayer } from './watched-layer.js';

/** A tree that could not be read at the start. */
export interface UnreadLayer {
  readonly path: string;
  readonly error: DiscoveryError;
  /** The registry responded, and the token may not read it. */
  readonly isDenied: boolean;
}

/** Reads all trees once, within a time. */
export async function readFirst(
  layers: readonly WatchedLayer[],
  clock: Clock,
  timeoutMs: number,
  outer: AbortSignal,
): Promise<readonly UnreadLayer[]> {
  const timeout = new DiscoveryError('RK_REGISTRY_TIMEOUT', `no response in ${timeoutMs} ms`, {
    hint: 'startupTimeout is how long the start of the app waits',
  });
  return withScopedSignal(outer, async (signal, end) => {
    setMaxListeners(0, signal);
    const cancel = clock.after(timeoutMs, () => end(timeout));
    const results = await Promise.all(layers.map((layer) => readOne(layer, signal)));
    cancel();
    return results.flatMap((result) => result ?? []);
  });
}

async function readOne(layer: WatchedLayer, signal: AbortSignal): Promise<UnreadLayer | undefined> {
  const { path } = layer;
  try {
    await layer.read(signal);
  } catch (error) {
    const code = error instanceof DiscoveryError ? error.code : 'RK_REGISTRY_ERROR';
    const message = `configuration: cannot read the keys below ${path}: ${errorMessage(error)}`;
    const hint = code === 'RK_ACL_DENIED' ? { hint: `It needs ${layer.readRule}` } : {};
    return { path, error: new DiscoveryError(code, message, { cause: error, ...hint }), isDenied: false };
  }
  if (!layer.isDenied) return undefined;
  const message = `configuration: the token may not read the keys below ${path}`;
  const hint = `It needs ${layer.readRule}`;
  return { path, error: new DiscoveryError('RK_ACL_DENIED', message, { hint }), isDenied: true };
}
