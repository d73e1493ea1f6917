// Batches from the host onto the device.
import type { HostBatch, Normalize } from '../data/batch.js';
import type { HostTensor } from '../io/host_tensor.js';
import { cast } from '../ops/elementwise/elementwise.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

function upload({ data, shape, dtype }: HostTensor): Tensor {
  return tensor(data, shape, { dtype });
}

/** x as f32, normalised on the device as x * scale + offset; y as it is. */
export function toDevice(batch: HostBatch, normalize: Normalize | undefined): { x: Tensor; y: Tensor } {
  const stored = upload(batch.x);
  const x = normalize || stored.dtype === 'u8' ? cast(stored, 'f32', normalize) : stored;
  return { x, y: upload(batch.y) };
}
