import { recentRepairs, type RegistrationFacts } from './decide-registration.js';

/** What happened to one registration since it was started: the facts from which its next step is decided. */
export class RegistrationHistory {
  #isOurs = false;
  #isUnlisted = false;
  #justRegistered = false;
  #idHolder: RegistrationFacts['idHolder'];
  #repairs: readonly number[] = [];
  #maybeRegistered = false;
  #credentials = 0;
  #deregisteredAt = -Infinity;

  /** This process has registered it since it was started. */
  get isOurs(): boolean {
    return this.#isOurs;
  }

  /** The previous step was to register. */
  get justRegistered(): boolean {
    return this.#justRegistered;
  }

  /** The registry may hold it: a request to register was sent, even if its response did not arrive. */
  get maybeRegistered(): boolean {
    return this.#maybeRegistered;
  }

  get deregisteredAt(): number {
    return this.#deregisteredAt;
  }

  facts(afterOutage: boolean, credentials: number): Omit<RegistrationFacts, 'wasCritical'> {
    return {
      credentialsChanged: credentials !== this.#credentials,
      isOurs: this.#isOurs,
      afterOutage,
      isUnlisted: this.#isUnlisted,
      repairs: this.#repairs,
      idHolder: this.#idHolder,
    };
  }

  /** A step was decided: the previous one is no longer the last. */
  stepDecided(): void {
    this.#justRegistered = false;
  }

  idHolderProbed(result: NonNullable<RegistrationFacts['idHolder']>): void {
    this.#idHolder = result;
  }

  /** The id was left to its holder, which is probed again next time. */
  yielded(): void {
    this.#idHolder = undefined;
  }

  /** @returns a function that undoes it, for a request that certainly had no effect */
  registerSent(): () => void {
    const before = this.#maybeRegistered;
    this.#maybeRegistered = true;
    return () => (this.#maybeRegistered = before);
  }

  /** The credentials that the registry may keep with the registration. */
  registeredWith(credentials: number): void {
    this.#credentials = credentials;
  }

  registered(isRepair: boolean, now: number): void {
    this.#isOurs = true;
    this.#isUnlisted = false;
    this.#justRegistered = true;
    if (isRepair) this.#repairs = [...recentRepairs(this.#repairs, now), now];
  }

  /** The wait for a change has ended. */
  changed(isUnlisted: boolean): void {
    this.#isUnlisted = isUnlisted;
  }

  recentRepairs(now: number): number {
    return recentRepairs(this.#repairs, now).length;
  }

  deregistered(now: number): void {
    if (this.#maybeRegistered) this.#deregisteredAt = now;
    this.#maybeRegistered = false;
  }

  /** For the next start; what the registry may hold is not forgotten. */
  reset(): void {
    this.#isOurs = false;
    this.#isUnlisted = false;
    this.#justRegistered = false;
    this.#idHolder = undefined;
    this.#repairs = [];
  }
}
