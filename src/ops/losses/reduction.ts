import { AnnealError } from '../../errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import { mean, sum } from '../reduce/reduce.js';

/** What becomes of the losses of the items: their mean, their sum, or each by itself. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  /** Default 'mean'. */
  readonly reduction?: Reduction;
}

/** @throws E_ARGUMENT on another name */
export function checkReduction(op: string, reduction: Reduction): void {
  if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none') {
    throw new AnnealError(
      'E_ARGUMENT',
      `${op}: expected reduction to be mean, sum or none, received ${JSON.stringify(reduction)}`,
    );
  }
}

/** @throws E_ARGUMENT on an unknown reduction */
export function reduceLoss(op: string, losses: Tensor, reduction: Reduction = 'mean'): Tensor {
  checkReduction(op, reduction);
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? sum(losses) : mean(losses);
}
