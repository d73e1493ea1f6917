// Activation checkpointing: time for memory.
import { AnnealError } from '../errors.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { backwardThrough } from './backward.js';
import { gradEnabled, recompute, record } from './tape.js';

/**
 * `fn` without what it keeps for its backward pass: only its arguments and its result stay, and the backward pass runs it once
 * more. Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174. A third or so more time; the
 * memory of a net of n equal parts, each a checkpoint, falls from n parts to one, and n results.
 *
 * `fn` must do the same both times. Dropout and running averages of batch norm do: masks follow from the step, and
 * averages are not moved again. Gradients of parameters that `fn` uses, beyond its arguments, are found too.
 * @throws E_ARGUMENT from backward with `createGraph`: second derivatives need the graph
 */
export function checkpoint(fn: (...args: Tensor[]) => Tensor): (...args: Tensor[]) => Tensor {
  return (...args) => {
    if (!gradEnabled()) return fn(...args);
    const { value, onTape } = scope(() => {
      const y = fn(...args);
      return { value: y.detach(), onTape: y.requiresGrad };
    });
    if (!onTape) return value;
    const rule = (dy: Tensor, needs: readonly boolean[]): (Tensor | null)[] => {
      if (gradEnabled()) {
        throw new AnnealError(
          'E_ARGUMENT',
          'checkpoint: expected a backward pass without createGraph, received one with it; second derivatives need what a checkpoint lets go',
        );
      }
      const again = args.map((arg, i) => (needs[i] ? arg.detach().requireGrad() : arg));
      const y = recompute(() => fn(...again));
      const wanted = again.filter((_, i) => needs[i]);
      const found = backwardThrough(y, dy, wanted);
      return again.map((arg, i) => (needs[i] ? (found[wanted.indexOf(arg)] ?? null) : null));
    };
    return record('checkpoint', value, args, rule, { saved: args, always: true });
  };
}
