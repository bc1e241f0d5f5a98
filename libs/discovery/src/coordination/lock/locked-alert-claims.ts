import { AlertClaims, CLAIMS_PREFIX, type AlertClaim } from '../../alerts/alert-sink.js';
import type { LockService } from './lock.service.js';

/** Which replica tells of an alert: the one that has its lock. When it dies, another one gets it, and tells of it again. */
export class LockedAlertClaims extends AlertClaims {
  readonly #locks: LockService;

  constructor(locks: LockService) {
    super();
    this.#locks = locks;
  }

  override async claim(key: string): Promise<AlertClaim | undefined> {
    const lock = await this.#locks.tryLock(CLAIMS_PREFIX + key, { warnAfter: Infinity });
    return lock && { signal: lock.signal, release: () => lock.release() };
  }
}
