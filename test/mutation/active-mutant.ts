/** Which of the mutants in the code is active; the code asks for each place that it comes to. */
let active = 0;
let covered: Set<number> | undefined;

export function isActive(id: number): boolean {
  covered?.add(id);
  return id === active;
}

/** @param id 0: none */
export function activate(id: number): void {
  active = id;
}

/** Notes the mutants that are asked for until the result is called, which has them. */
export function observe(): () => readonly number[] {
  const mine = new Set<number>();
  covered = mine;
  return () => {
    covered = undefined;
    return [...mine];
  };
}
