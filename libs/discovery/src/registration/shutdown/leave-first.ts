import type { AppServers } from '../location/app-servers.js';

/**
 * Runs `leave` before anything of the app is torn down. Nest runs the destroy hooks of the app's own modules before those of
 * this one: they would close their databases under requests that still arrive. Before any hook Nest calls `beforeClose` of
 * its HTTP adapter; a microservice it closes first of all.
 *
 * @returns functions that undo it
 */
export function leaveFirst(
  { adapter, microservices }: AppServers,
  leave: () => Promise<void>,
): (() => void)[] {
  const before = <K extends string>(target: Partial<Record<K, () => unknown>>, method: K): (() => void) => {
    const original = target[method];
    const replaced = async (): Promise<unknown> => {
      await leave();
      return original?.call(target);
    };
    Object.assign(target, { [method]: replaced });
    return () => void Object.assign(target, { [method]: original });
  };
  if (adapter) return [before(adapter as Partial<Record<'beforeClose', () => unknown>>, 'beforeClose')];
  return microservices.map((microservice) => before(microservice, 'close'));
}
