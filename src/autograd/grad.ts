// Gradients as functions of functions, and gradients by hand.
import { AnnealError } from '../errors.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { gradients } from './backward.js';
import { type Backward, enableGrad, gradEnabled, noGrad, record } from './tape.js';

export interface GradOptions {
  /** The arguments to differentiate by. Default: all of them. */
  readonly argnums?: readonly number[];
}

export interface ValueAndGrad {
  readonly value: Tensor;
  /** One for each of `argnums`, of its argument's shape. */
  readonly grads: Tensor<'f32'>[];
}

/** The same values as a new point on the tape, downstream of `x`. */
function identity(x: Tensor): Tensor {
  return record('identity', x.view(x.shape), [x], (dy) => [dy], { saved: [] });
}

/**
 * A function that gives f's value and its gradients with respect to its arguments. f maps tensors to a scalar tensor.
 * Called while recording on arguments that require gradients, its results are on the tape themselves, so gradients
 * nest: `grad((x) => grad(f)(x)[0])`.
 */
export function valueAndGrad(
  f: (...args: Tensor[]) => Tensor,
  options: GradOptions = {},
): (...args: Tensor[]) => ValueAndGrad {
  return (...args) => {
    const argnums = options.argnums ?? args.map((_, i) => i);
    const createGraph = gradEnabled() && args.some((arg) => arg.requiresGrad);
    const differentiate = (): ValueAndGrad => {
      const point = args.map((arg, i) => {
        if (!argnums.includes(i)) return arg;
        return createGraph && arg.requiresGrad ? identity(arg) : arg.detach().requireGrad();
      });
      const value = enableGrad(() => f(...point));
      const inputs = argnums.map((i) => {
        const input = point[i];
        if (input === undefined) {
          throw new AnnealError('E_RANGE', `grad: expected argnums below ${args.length}, received ${i}`);
        }
        return input;
      });
      const grads = gradients(value, inputs, undefined, { createGraph });
      return { value: createGraph ? value : noGrad(() => value.detach()), grads };
    };
    return createGraph ? differentiate() : scope(differentiate);
  };
}

/** As `valueAndGrad`, the gradients only. */
export function grad(
  f: (...args: Tensor[]) => Tensor,
  options: GradOptions = {},
): (...args: Tensor[]) => Tensor<'f32'>[] {
  const both = valueAndGrad(f, options);
  return (...args) => {
    const { value, grads } = both(...args);
    if (!value.requiresGrad) value.dispose();
    return grads;
  };
}

export interface CustomGradient {
  readonly value: Tensor;
  /** Gradients with respect to the arguments, in order; null for none. */
  readonly backward: Backward;
}

/**
 * An op with a backward rule of its own: `f` computes the value from detached arguments and gives the rule.
 * @throws E_SHAPE from backward when a gradient does not have its argument's shape
 */
export function customGrad(f: (...args: Tensor[]) => CustomGradient): (...args: Tensor[]) => Tensor {
  return (...args) => {
    const { value, backward } = noGrad(() => f(...args));
    const output = args.includes(value) ? value.detach() : value;
    return record('customGrad', output, args, backward);
  };
}
