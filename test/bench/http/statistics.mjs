export function median(figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const RESAMPLES = 2_000;

/** The 95 % interval of the median, by resampling. Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979. */
export function interval(figures) {
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(figures.map(() => figures[Math.floor(Math.random() * figures.length)])),
  ).sort((a, b) => a - b);
  return [medians[Math.floor(RESAMPLES * 0.025)], medians[Math.floor(RESAMPLES * 0.975)]];
}
