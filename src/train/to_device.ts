// Batches from the host onto the device.
import type { HostBatch, Normalize } from '../data/batch.js';
import type { HostTensor } from '../io/host_tensor.js';
import { cast } from '../ops/elementwise/elementwise.js';
import type { FloatDType } from '../tensor/dtype.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

const onDevice = ({ data, shape, dtype }: HostTensor): Tensor => tensor(data, shape, { dtype });

/** A batch on the device, as it is stored. */
export type DeviceBatch = {
  readonly x: Tensor;
  readonly y: Tensor;
  /** Of each example in the loss. */
  readonly weight?: Tensor;
};

export function upload({ x, y, weight }: HostBatch): DeviceBatch {
  return { x: onDevice(x), y: onDevice(y), ...(weight && { weight: onDevice(weight) }) };
}

/**
 * x as f32, or as f16 where it is not made of integers such as ids, normalised on the device as x * scale + offset; the rest as it is.
 */
export function normalized(
  { x, ...rest }: DeviceBatch,
  normalize: Normalize | undefined,
  precision: FloatDType = 'f32',
): DeviceBatch {
  const casts = normalize !== undefined || x.dtype === 'u8' || (precision === 'f16' && x.dtype === 'f32');
  return { x: casts ? cast(x, precision, normalize) : x, ...rest };
}
