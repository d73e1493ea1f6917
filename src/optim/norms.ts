import { zeros } from '../ops/creation.js';
import { sumSquaresInto } from '../ops/reduce/reduce.js';
import { keep } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';

/** The norm of each tensor, of one moment: a small launch each, one read. All lie on the device of the first. */
export async function normsOf(tensors: readonly Tensor<'f32'>[]): Promise<number[]> {
  const [first] = tensors;
  if (first === undefined) return [];
  const sums = keep(zeros([tensors.length], { device: first.device }));
  try {
    tensors.forEach((tensor, i) => {
      if (tensor.size === 0) return;
      const place = keep(sums.view([], i));
      sumSquaresInto(place, tensor);
      place.dispose();
    });
    return Array.from(await sums.data(), Math.sqrt);
  } finally {
    sums.dispose();
  }
}
