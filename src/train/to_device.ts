// Batches from the host onto the device.
import type { HostBatch, Normalize } from '../data/batch.js';
import type { HostTensor } from '../io/host_tensor.js';
import { cast } from '../ops/elementwise/elementwise.js';
import type { FloatDType } from '../tensor/dtype.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

const onDevice = ({ data, shape, dtype }: HostTensor): Tensor => tensor(data, shape, { dtype });

/** A batch as it is stored. */
export function upload(batch: HostBatch): { x: Tensor; y: Tensor } {
  return { x: onDevice(batch.x), y: onDevice(batch.y) };
}

/**
 * x as f32, or as f16 where it is not made of integers such as ids, normalised on the device as x * scale + offset; y as it is.
 */
export function normalized(
  { x, y }: { x: Tensor; y: Tensor },
  normalize: Normalize | undefined,
  precision: FloatDType = 'f32',
): { x: Tensor; y: Tensor } {
  const casts = normalize !== undefined || x.dtype === 'u8' || (precision === 'f16' && x.dtype === 'f32');
  return { x: casts ? cast(x, precision, normalize) : x, y };
}
