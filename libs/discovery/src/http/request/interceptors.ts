import type { AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from 'axios';

type Dispatch = (config: InternalAxiosRequestConfig) => Promise<AxiosResponse>;

/** What axios keeps of `use(fulfilled, rejected, options)`. */
interface Handler<V> {
  readonly fulfilled?: ((value: V) => V | Promise<V>) | null;
  readonly rejected?: ((error: unknown) => unknown) | null;
  readonly synchronous?: boolean;
  readonly runWhen?: ((config: InternalAxiosRequestConfig) => boolean) | null;
}

interface Manager<V> {
  readonly handlers?: readonly (Handler<V> | null)[] | null;
}

/**
 * Runs the interceptors of an instance in axios's order: those of requests from the last to the first, those of responses from the
 * first to the last.
 *
 * @param dispatch for a config that no interceptor has seen
 */
export function runInterceptors(
  interceptors: AxiosInstance['interceptors'],
  config: InternalAxiosRequestConfig,
  dispatch: Dispatch,
  dispatchIntercepted: Dispatch,
): Promise<AxiosResponse> {
  const requests = handlersOf<InternalAxiosRequestConfig>(interceptors.request);
  const responses = handlersOf<AxiosResponse>(interceptors.response);
  const active =
    requests.length === 0 ? requests : requests.filter(({ runWhen }) => runWhen?.(config) !== false);
  let promise: Promise<AxiosResponse>;
  if (active.length === 0) promise = dispatch(config);
  else if (active.every(({ synchronous }) => synchronous))
    promise = runSynchronously(inOrder(active, config), config, dispatchIntercepted);
  else {
    let ready: Promise<InternalAxiosRequestConfig> = Promise.resolve(config);
    for (const { fulfilled, rejected } of inOrder(active, config))
      ready = ready.then(fulfilled ?? undefined, rejected as never);
    promise = ready.then(dispatchIntercepted);
  }
  for (const { fulfilled, rejected } of responses)
    promise = promise.then(fulfilled ?? undefined, rejected as never);
  return promise;
}

const NO_HANDLERS: readonly never[] = [];

function handlersOf<V>(manager: unknown): readonly Handler<V>[] {
  const { handlers } = manager as Manager<V>;
  if (!handlers || handlers.length === 0) return NO_HANDLERS;
  return handlers.filter((handler) => handler !== null);
}

function inOrder<V>(
  handlers: readonly Handler<V>[],
  config: InternalAxiosRequestConfig,
): readonly Handler<V>[] {
  const { legacyInterceptorReqResOrdering = true } = (config.transitional ?? {}) as {
    legacyInterceptorReqResOrdering?: boolean;
  };
  return legacyInterceptorReqResOrdering ? [...handlers].reverse() : handlers;
}

/** As axios does: an error ends the chain, unless its own handler recovers. */
async function runSynchronously(
  handlers: readonly Handler<InternalAxiosRequestConfig>[],
  config: InternalAxiosRequestConfig,
  dispatch: Dispatch,
): Promise<AxiosResponse> {
  let current = config;
  for (const { fulfilled, rejected } of handlers) {
    try {
      if (fulfilled) current = fulfilled(current) as InternalAxiosRequestConfig;
    } catch (error) {
      if (!rejected) throw error;
      const recovered = rejected(error);
      if (typeof (recovered as PromiseLike<unknown> | undefined)?.then === 'function') await recovered;
      break;
    }
  }
  return dispatch(current);
}
