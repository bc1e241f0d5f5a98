import { applied, type Operation } from './operation.js';

export interface Verdict {
  readonly isLinearizable: boolean;
  /** Of a history that is not: the longest prefix that an order was found for, and what could not follow. */
  readonly stuckAt: readonly Operation[];
  /** How many partial orders were looked at. */
  readonly looked: number;
}

/**
 * Whether the operations could have taken effect one after the other, each between its call and its response, on one register.
 *
 * The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with the memory of Lowe ("Testing for Linearizability",
 * 2017): a set of operations that led to a value once is not tried again.
 *
 * Every written value must be unique. An operation without a response whose value nobody has seen is left out: whether it took effect makes no
 * difference to anyone.
 */
export function isLinearizable(history: readonly Operation[], initial: string | undefined): Verdict {
  const operations = relevant(history).sort((a, b) => a.call - b.call);
  const tried = new Set<string>();
  const isDone = operations.map(() => false);
  const order: { readonly index: number; readonly before: string | undefined; next: number }[] = [];
  let value = initial;
  let first = 0;
  let looked = 0;
  let best = 0;
  let stuckAt: readonly Operation[] = [];
  /** From which candidate to go on. */
  let from = 0;
  for (;;) {
    while (first < operations.length && isDone[first]) first++;
    if (!operations.some((operation, index) => !isDone[index] && Number.isFinite(operation.end)))
      return { isLinearizable: true, stuckAt: [], looked };
    const deadline = earliestEnd(operations, isDone, first);
    const found = next(operations, isDone, Math.max(from, first), deadline, value);
    if (found !== undefined) {
      looked++;
      isDone[found.index] = true;
      const key = `${found.value ?? ''}|${signature(isDone, first)}`;
      if (!tried.has(key)) {
        tried.add(key);
        order.push({ index: found.index, before: value, next: found.index + 1 });
        value = found.value;
        from = 0;
        continue;
      }
      isDone[found.index] = false;
      from = found.index + 1;
      continue;
    }
    if (order.length >= best) {
      best = order.length;
      stuckAt = operations.filter(({ call }, index) => !isDone[index] && call <= deadline);
    }
    const last = order.pop();
    if (!last) return { isLinearizable: false, stuckAt, looked };
    isDone[last.index] = false;
    first = Math.min(first, last.index);
    value = last.before;
    from = last.next;
  }
}

/** The first operation that may be next: it was called before any other that is left had ended, and the value allows it. */
function next(
  operations: readonly Operation[],
  isDone: readonly boolean[],
  from: number,
  deadline: number,
  value: string | undefined,
): { index: number; value: string | undefined } | undefined {
  for (let index = from; index < operations.length; index++) {
    const operation = operations[index];
    if (!operation || operation.call > deadline) return undefined;
    if (isDone[index]) continue;
    const after = applied(value, operation);
    if (after) return { index, value: after.value };
  }
  return undefined;
}

function earliestEnd(operations: readonly Operation[], isDone: readonly boolean[], first: number): number {
  let earliest = Infinity;
  for (let index = first; index < operations.length; index++) {
    const operation = operations[index];
    if (!operation || operation.call > earliest) break;
    if (!isDone[index]) earliest = Math.min(earliest, operation.end);
  }
  return earliest;
}

/** Everything before `first` is done. */
function signature(isDone: readonly boolean[], first: number): string {
  const later: number[] = [];
  isDone.forEach((done, index) => {
    if (done && index > first) later.push(index);
  });
  let start = first;
  while (isDone[start]) start++;
  return `${start}:${later.filter((index) => index > start).join()}`;
}

function relevant(history: readonly Operation[]): Operation[] {
  const seen = new Set<string | undefined>();
  for (const { action, end } of history) {
    if (action.type === 'read' && Number.isFinite(end)) seen.add(action.value);
    if (action.type === 'compareAndSet') seen.add(action.from);
  }
  return history.filter(({ action, end }) => {
    if (Number.isFinite(end)) return true;
    if (action.type === 'read') return false;
    return seen.has(action.type === 'write' ? action.value : action.to);
  });
}
