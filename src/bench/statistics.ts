// Order statistics of samples. Medians, because a neighbour on the machine makes a sample slower and never faster.

/** Milliseconds of one execution, over the samples. */
export interface Summary {
  readonly msMedian: number;
  readonly msMin: number;
  readonly msMax: number;
  /** Half of the samples lie between these. */
  readonly msQ1: number;
  readonly msQ3: number;
  readonly samples: number;
}

/** The value that a share of the samples lies below, between neighbours by their distance; NaN of nothing. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Array.from(values).sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

export function summarize(seconds: ArrayLike<number>): Summary {
  return {
    msMedian: 1e3 * median(seconds),
    msMin: 1e3 * quantile(seconds, 0),
    msMax: 1e3 * quantile(seconds, 1),
    msQ1: 1e3 * quantile(seconds, 0.25),
    msQ3: 1e3 * quantile(seconds, 0.75),
    samples: seconds.length,
  };
}

/** Of things done one after the other: the sums of their figures, and the least number of samples among them. */
export function sumOf(parts: readonly Summary[]): Summary {
  const total = (pick: (part: Summary) => number): number => parts.reduce((sum, part) => sum + pick(part), 0);
  return {
    msMedian: total((part) => part.msMedian),
    msMin: total((part) => part.msMin),
    msMax: total((part) => part.msMax),
    msQ1: total((part) => part.msQ1),
    msQ3: total((part) => part.msQ3),
    samples: Math.min(...parts.map((part) => part.samples)),
  };
}
