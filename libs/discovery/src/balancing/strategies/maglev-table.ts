import { hash } from '../hash.js';

/** Primes: each table has about a hundred slots for each target, so that shares are even to one per cent. */
const SIZES = [4_093, 65_537, 1_048_573] as const;
const SLOTS_PER_TARGET = 100;
const MIN_TURN = 0.01;

/**
 * Maps keys to targets: in constant time, with the same result on every client that has the same targets, and so that nearly
 * all keys keep their target when another one joins or leaves.
 *
 * Maglev rather than a hash ring: a ring of 160 points for each target takes five times as long at a thousand instances, and
 * leaves shares uneven by 8 %. Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
 * 2016, 3.4.
 */
export class MaglevTable {
  readonly #slots: Int32Array;

  /** @param targets in an order that is the same on all clients; each weight above 0 */
  constructor(targets: readonly { readonly name: string; readonly weight: number }[]) {
    const wanted = targets.length * SLOTS_PER_TARGET;
    const size = SIZES.find((prime) => prime >= wanted) ?? SIZES[2];
    const slots = new Int32Array(size).fill(-1);
    const skip = targets.map(({ name }) => (hash(name, 1) % (size - 1)) + 1);
    const next = targets.map(({ name }) => hash(name, 2) % size);
    const heaviest = targets.reduce((most, { weight }) => Math.max(most, weight), 0);
    // A lighter target takes its turn less often, but at least in one of a hundred rounds, which bounds their number.
    const turn = targets.map(({ weight }) => Math.max(MIN_TURN, weight / heaviest));
    const credit = targets.map(() => 0);
    for (let filled = 0; filled < size;) {
      for (let at = 0; at < targets.length && filled < size; at++) {
        const owed = (credit[at] ?? 0) + (turn[at] ?? 1);
        credit[at] = owed >= 1 ? owed - 1 : owed;
        if (owed < 1) continue;
        let slot = next[at] ?? 0;
        while (slots[slot] !== -1) slot = (slot + (skip[at] ?? 1)) % size;
        slots[slot] = at;
        next[at] = (slot + (skip[at] ?? 1)) % size;
        filled++;
      }
    }
    this.#slots = slots;
  }

  get size(): number {
    return this.#slots.length;
  }

  /** The index of the target that has the slot. */
  at(slot: number): number {
    return this.#slots[slot % this.#slots.length] ?? 0;
  }
}
