// Results of batches, which come to the host while the next are enqueued.
import { noGrad } from '../autograd/tape.js';
import type { HostBatch, Loader } from '../data/batch.js';
import { batchesOf } from '../data/batches_of.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';

/** The values of a tensor whose memory is given back as soon as the copy is enqueued. */
export function readAndDispose(tensor: Tensor<'f32'>): Promise<Float32Array> {
  const values = tensor.data();
  tensor.dispose();
  return values;
}

/** Batches whose results may be on their way while the next is enqueued. */
const IN_FLIGHT = 4;

/**
 * Enqueues what `compute` makes of each batch of the first epoch, without gradients, and gives its values to `take`, in order, a few
 * batches later, with what `note` kept of the batch, whose arrays the loader may use again.
 */
export async function readBatches<K>(
  data: Loader,
  compute: (batch: HostBatch) => Tensor<'f32'>,
  note: (batch: HostBatch) => K,
  take: (values: Float32Array, noted: K) => void,
): Promise<void> {
  const queue: { readonly values: Promise<Float32Array>; readonly noted: K }[] = [];
  const finish = async (): Promise<void> => {
    const next = queue.shift();
    if (next) take(await next.values, next.noted);
  };
  for await (const batch of batchesOf(data, 0)) {
    const result = noGrad(() => scope(() => compute(batch)));
    const { backend } = result.storage;
    const values = readAndDispose(result);
    values.catch(() => undefined);
    queue.push({ values, noted: note(batch) });
    const most = backend.crowded() ? 1 : IN_FLIGHT;
    while (queue.length >= most) await finish();
  }
  while (queue.length > 0) await finish();
}
