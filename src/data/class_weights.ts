import { AnnealError } from '../errors.js';
import { checkWhole } from './batch.js';

export interface ClassWeightOptions {
  /** Default: one more than the largest label. */
  readonly classes?: number;
}

/**
 * Balanced class weights, f32 [classes]: w_c = N / (C n_c), where n_c of the N examples are of class c and C classes occur, so
 * that all of them weigh the same in sum and the mean weight of an example is 1. A class that does not occur weighs 0. Takes a
 * dataset or its labels; `ops.softmaxCrossEntropy` takes the result, as a tensor, for `classWeights`.
 * @throws AnnealError E_RANGE for a label that is no whole number within 0 .. classes-1.
 */
export function classWeights(
  of: { labels(): ArrayLike<number> } | ArrayLike<number>,
  options: ClassWeightOptions = {},
): Float32Array {
  const labels = 'labels' in of ? of.labels() : of;
  const counts: number[] = Array.from({ length: options.classes ?? 0 }, () => 0);
  for (let position = 0; position < labels.length; position += 1) {
    const label = labels[position] ?? Number.NaN;
    checkWhole(label, `classWeights: label ${position}`);
    if (options.classes !== undefined && label >= options.classes) {
      throw new AnnealError('E_RANGE', `classWeights: expected labels below ${options.classes}, received ${label}`);
    }
    while (counts.length <= label) counts.push(0);
    counts[label] = (counts[label] ?? 0) + 1;
  }
  const occurring = counts.filter((count) => count > 0).length;
  return Float32Array.from(counts, (count) => (count === 0 ? 0 : labels.length / (occurring * count)));
}
