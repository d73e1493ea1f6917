// Batches from the host onto the device.
import type { HostBatch, Normalize } from '../data/batch.js';
import type { HostTensor } from '../io/host_tensor.js';
import { cast } from '../ops/elementwise/elementwise.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

const onDevice = ({ data, shape, dtype }: HostTensor): Tensor => tensor(data, shape, { dtype });

/** A batch as it is stored. */
export function upload(batch: HostBatch): { x: Tensor; y: Tensor } {
  return { x: onDevice(batch.x), y: onDevice(batch.y) };
}

/** x as f32, normalised on the device as x * scale + offset; y as it is. */
export function normalized(
  { x, y }: { x: Tensor; y: Tensor },
  normalize: Normalize | undefined,
): { x: Tensor; y: Tensor } {
  return { x: normalize || x.dtype === 'u8' ? cast(x, 'f32', normalize) : x, y };
}
