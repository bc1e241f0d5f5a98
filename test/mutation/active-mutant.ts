/** Which of the mutants in the code is active; the code asks for each place that it comes to. */
let active = 0;
/** How often the code may still ask for it. */
let left = Infinity;
let counts: Map<number, number> | undefined;

/** @throws Error when it was asked more often than it may be: a loop without an end is left so */
export function isActive(id: number): boolean {
  if (counts) counts.set(id, (counts.get(id) ?? 0) + 1);
  if (id !== active) return false;
  if (--left < 0) throw new Error('without an end');
  return true;
}

/**
 * @param id 0: none
 * @param limit how often the code may ask for it
 */
export function activate(id: number, limit = Infinity): void {
  active = id;
  left = limit;
}

/** Counts how often each mutant is asked for until the result is called, which has the numbers. */
export function observe(): () => ReadonlyMap<number, number> {
  const mine = new Map<number, number>();
  counts = mine;
  return () => {
    counts = undefined;
    return mine;
  };
}
