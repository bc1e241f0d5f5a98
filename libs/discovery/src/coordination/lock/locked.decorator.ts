import { Inject } from '@nestjs/common';
import { assertLockKey } from './lock-key.js';
import { durationOf, type LockAcquireOptions } from '../contention/lock-table.js';
import { notCreated, replaceMethod } from '../decorated-method.js';
import { LockService } from './lock.service.js';

const LOCKS = Symbol('rookery:locks');

/**
 * The method runs under the lock of a key: one call at a time, in all processes. `currentLock()` inside it is the lock, with `signal` and
 * `fence`.
 *
 * @param key in the registry, or a function of the method's arguments
 *
 * @example
 * ```ts
 * @Locked((orderId: string) => `locks/orders/${orderId}`, { waitFor: '5s' })
 * async pay(orderId: string) {}
 * ```
 */
export function Locked<T extends (...args: never[]) => Promise<unknown>>(
  key: string | ((...args: Parameters<T>) => string),
  options: LockAcquireOptions = {},
): (target: object, method: string | symbol, descriptor: TypedPropertyDescriptor<T>) => void {
  if (typeof key !== 'function') assertLockKey(key);
  if (options.waitFor !== undefined && options.waitFor !== Infinity) durationOf(options.waitFor, 'waitFor');
  return (target, method, descriptor) => {
    Inject(LockService)(target, LOCKS);
    replaceMethod(target, method, descriptor, async (instance, name, run, _replaced, args) => {
      const locks = (instance as { [LOCKS]?: LockService })[LOCKS];
      if (!locks) throw notCreated(name);
      const own = typeof key === 'string' ? key : key(...(args as Parameters<T>));
      return locks.withLock(own, run, options);
    });
  };
}
