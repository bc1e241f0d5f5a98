/** How many lists may be watched on connections of their own; the others are polled until one becomes free. */
export class WatchSlots {
  readonly limit: number;
  #taken = 0;
  #without = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** How many ask in vain. */
  get without(): number {
    return this.#without;
  }

  /** A claim to one slot, for as long as it is not given up. */
  claim(): SlotClaim {
    let isTaken = false;
    let isCounted = false;
    const uncount = (): void => {
      if (isCounted) this.#without--;
      isCounted = false;
    };
    return {
      take: () => {
        if (isTaken) return true;
        if (this.#taken < this.limit) {
          this.#taken++;
          isTaken = true;
          uncount();
        } else if (!isCounted) {
          this.#without++;
          isCounted = true;
        }
        return isTaken;
      },
      giveUp: () => {
        if (isTaken) this.#taken--;
        isTaken = false;
        uncount();
      },
    };
  }
}

export interface SlotClaim {
  /** True when we have it, now or already. */
  take(): boolean;
  giveUp(): void;
}
