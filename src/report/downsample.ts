/** Long curves as few points that look the same: of each bucket of steps the least and the greatest value. */
import { indexRange, type Series } from './series.js';

/** A range of steps, cut into buckets of equal width. */
export interface Grid {
  readonly from: number;
  readonly to: number;
  readonly buckets: number;
}

/** Where the two points of each bucket stand: at a quarter and three quarters of it. */
export function gridSteps({ from, to, buckets }: Grid): number[] {
  const width = (to - from) / (2 * buckets);
  return Array.from({ length: 2 * buckets }, (_, i) => from + (i + 0.5) * width);
}

/**
 * Two values a bucket, in the order in which the least and the greatest came; null where there is none, or no finite one. Curves on
 * the same grid have their points at the same steps, so that many of them share one table.
 */
export function onGrid({ step, value }: Series, { from, to, buckets }: Grid): (number | null)[] {
  const result = new Array<number | null>(2 * buckets).fill(null);
  const scale = to > from ? buckets / (to - from) : 0;
  const [first, end] = indexRange(step, from, to);
  let bucket = -1;
  let least = -1;
  let greatest = -1;
  const finish = (): void => {
    if (bucket < 0 || least < 0) return;
    const [a, b] = least <= greatest ? [least, greatest] : [greatest, least];
    result[2 * bucket] = value[a] ?? null;
    if (a !== b) result[2 * bucket + 1] = value[b] ?? null;
  };
  for (let i = first; i < end; i += 1) {
    const at = Math.min(buckets - 1, Math.floor(((step[i] ?? 0) - from) * scale));
    if (at !== bucket) {
      finish();
      bucket = at;
      least = greatest = -1;
    }
    const here = value[i] ?? Number.NaN;
    if (!Number.isFinite(here)) continue;
    if (least < 0 || here < (value[least] ?? 0)) least = i;
    if (greatest < 0 || here > (value[greatest] ?? 0)) greatest = i;
  }
  finish();
  return result;
}

/** The curve itself where it is short, else two points a bucket of about `points / 2`. */
export function thinned(series: Series, points: number): { x: readonly number[]; y: readonly (number | null)[] } {
  const { step, value } = series;
  if (step.length <= points) return { x: step, y: value };
  const grid = { from: step[0] ?? 0, to: step.at(-1) ?? 0, buckets: points >> 1 };
  const x = gridSteps(grid);
  const y = onGrid(series, grid);
  const kept = y.map((_, i) => i).filter((i) => y[i] !== null);
  return { x: kept.map((i) => Math.round(x[i] ?? 0)), y: kept.map((i) => y[i] ?? null) };
}

/**
 * The exponential moving average, corrected for its start as Adam's moments are; what is not finite is left out. Curves with a value
 * only now and then are averaged over as many steps.
 * @param decay of one step, from 0 (the curve itself) to below 1
 */
export function smoothed({ step, value }: Series, decay: number): Series {
  let mean = 0;
  let weight = 0;
  let last: number | undefined;
  const result = value.map((here, i) => {
    if (!Number.isFinite(here)) return Number.NaN;
    const at = step[i] ?? 0;
    const kept = decay ** Math.max(1, at - (last ?? at));
    last = at;
    mean = kept * mean + (1 - kept) * here;
    weight = kept * weight + (1 - kept);
    return mean / weight;
  });
  return { step, value: result };
}
