// Activations that kernels apply to a result before they store it (kernels/common/activation.h).
import { AnnealError } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { reluGrad, sigmoidGrad, tanhGrad } from './elementwise/binary.js';

const activations = ['none', 'relu', 'sigmoid', 'tanh'] as const;

export type FusedActivation = (typeof activations)[number];

/** The kernels' number of an activation. @throws E_ARGUMENT for an unknown name */
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

/** The gradient before the activation, from that behind it. These derivatives follow from the result y alone. */
export const activationGrads: Readonly<Record<FusedActivation, (y: Tensor, dy: Tensor) => Tensor>> = {
  none: (_y, dy) => dy,
  relu: reluGrad,
  sigmoid: sigmoidGrad,
  tanh: tanhGrad,
};
