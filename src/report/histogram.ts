/** How values are distributed, in bins of equal width from the least to the greatest. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
  /** Values in each bin; where all are equal there is one bin. */
  readonly counts: readonly number[];
}

/** Of the finite values; null if there is none. */
export function histogramOf(values: ArrayLike<number>, bins = 30): Histogram | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let count = 0;
  let sum = 0;
  let sumSquares = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count += 1;
    sum += value;
    sumSquares += value * value;
  }
  if (count === 0) return null;
  const counts = new Array<number>(max > min ? bins : 1).fill(0);
  const scale = max > min ? counts.length / (max - min) : 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    const bin = Math.min(counts.length - 1, Math.floor((value - min) * scale));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { min, max, count, sum, sumSquares, counts };
}
