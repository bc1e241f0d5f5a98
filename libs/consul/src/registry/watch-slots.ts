/** Limits how many lists are watched, each on a connection of its own; further lists are polled until a slot is free. */
export class WatchSlots {
  readonly limit: number;
  #taken = 0;
  #waiting = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** The number of claims without a slot. */
  get waiting(): number {
    return this.#waiting;
  }

  /** A claim to one slot, until it is released. */
  claim(): SlotClaim {
    let hasSlot = false;
    let isWaiting = false;
    const stopWaiting = (): void => {
      if (isWaiting) this.#waiting--;
      isWaiting = false;
    };
    return {
      take: () => {
        if (hasSlot) return true;
        if (this.#taken < this.limit) {
          this.#taken++;
          hasSlot = true;
          stopWaiting();
        } else if (!isWaiting) {
          this.#waiting++;
          isWaiting = true;
        }
        return hasSlot;
      },
      release: () => {
        if (hasSlot) this.#taken--;
        hasSlot = false;
        stopWaiting();
      },
    };
  }
}

export interface SlotClaim {
  /** @returns whether the claim has a slot, from now or already */
  take(): boolean;
  release(): void;
}
