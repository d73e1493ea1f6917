// Activations that matmul and the convolutions apply in registers (kernels/common/activation.h).
import { AnnealError } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { overGradient } from './elementwise/binary.js';

/** In the order of the C++ enum. */
export const activations = ['none', 'relu', 'sigmoid', 'tanh'] as const;

/** What a kernel can apply to its result before it stores it. */
export type FusedActivation = (typeof activations)[number];

/** The code in kernel parameters. @throws E_ARGUMENT on another name */
export function activationCode(op: string, activation: FusedActivation): number {
  const code = activations.indexOf(activation);
  if (code < 0) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${op}: expected activation to be one of ${activations.join(', ')}, received ${String(activation)}`,
    );
  }
  return code;
}

/**
 * The gradient before the activation, from the one after it that a rule was given; each of these derivatives follows from
 * the output y.
 */
export function activationGrad(activation: FusedActivation, y: Tensor, dy: Tensor): Tensor {
  return activation === 'none' ? dy : overGradient(`${activation}_grad`, y, dy);
}
