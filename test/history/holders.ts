/** One that held a lock, from its acquisition to the moment at which it knew that it did not any more. */
export interface Holder {
  readonly worker: string;
  readonly fence: number;
  readonly from: number;
  /** When its signal aborted; `Infinity`: it has not. */
  readonly to: number;
  /** It lost the lock, rather than that it released it. */
  readonly isLost: boolean;
}

/** Two that held it at the same time. */
export interface Overlap {
  readonly earlier: Holder;
  readonly later: Holder;
  readonly ms: number;
}

/** Every two holders whose times overlap. A holder is earlier by its fence. */
export function overlaps(holders: readonly Holder[]): Overlap[] {
  const byFence = [...holders].sort((a, b) => a.fence - b.fence);
  return byFence.flatMap((earlier, index) =>
    byFence.slice(index + 1).flatMap((later): Overlap[] => {
      const ms = Math.min(earlier.to, later.to) - Math.max(earlier.from, later.from);
      return ms > 0 ? [{ earlier, later, ms }] : [];
    }),
  );
}

/** What a lock must not do: the same fence twice, or an overlap that the earlier holder was not told of. */
export function violations(holders: readonly Holder[]): string[] {
  const seen = new Map<number, Holder>();
  const found: string[] = [];
  for (const holder of holders) {
    const other = seen.get(holder.fence);
    if (other) found.push(`fence ${holder.fence} of ${other.worker} and of ${holder.worker}`);
    seen.set(holder.fence, holder);
  }
  for (const { earlier, later, ms } of overlaps(holders))
    if (!earlier.isLost || earlier.to === Infinity)
      found.push(
        `${earlier.worker} (${earlier.fence}) and ${later.worker} (${later.fence}) held it for ${ms.toFixed(1)} ms, and the first was not told`,
      );
  return found;
}
