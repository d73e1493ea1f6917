// The running statistics of batch norms, made anew for weights that no training step has seen, such as averaged ones.
import { noGrad } from '../autograd/tape.js';
import { wholeNumber } from '../checks.js';
import type { Loader } from '../data/batch.js';
import { batchesOf } from '../data/batches_of.js';
import { AnnealError } from '../errors.js';
import type { Module, Weights } from '../nn/module.js';
import { scope } from '../tensor/scope.js';
import { normalized, upload } from './to_device.js';

export interface RefreshStatisticsOptions {
  /** Batches that are looked at. Default: an epoch of them. */
  readonly batches?: number;
  /** Of the order of the data. Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/**
 * Sets the running mean and variance of every batch norm to the plain averages over `batches` batches of training data with
 * the weights as they are, as torch.optim.swa_utils.update_bn. Dropout is off. Izmailov et al. 2018, arXiv:1803.05407, section
 * 3.2. Does nothing for a model without batch norms. @throws E_ARGUMENT without a batch
 */
export async function refreshStatistics(
  model: Module,
  data: Loader,
  { batches = Number.POSITIVE_INFINITY, seed = 0, signal }: RefreshStatisticsOptions = {},
): Promise<void> {
  if (batches !== Number.POSITIVE_INFINITY) wholeNumber('refreshStatistics', 'batches', batches);
  if (model.namedBuffers().size === 0) return;
  let seen = 0;
  for await (const batch of batchesOf(data, 0, { seed }, signal)) {
    noGrad(() =>
      scope(() => {
        const { x } = normalized(upload(batch), data.normalize);
        // The k-th batch with weight 1 / k gives the mean of all.
        model.forward(x, { training: false, seed: 0, step: 0, statistics: 1 / (seen + 1) });
      }),
    );
    seen++;
    if (seen >= batches) break;
    // Forward passes that fill the queue would make JavaScript wait.
    if (seen % 4 === 0) await [...model.namedBuffers().values()][0]?.data();
  }
  if (seen === 0) throw new AnnealError('E_ARGUMENT', 'refreshStatistics: expected at least one batch, received none');
}

/** Buffers of a model as copies on the host. */
export async function buffersOf(model: Module): Promise<Weights> {
  const entries = [...model.namedBuffers()];
  const values = await Promise.all(entries.map(([, buffer]) => buffer.data()));
  return new Map(entries.map(([name, { shape }], i) => [name, { shape, data: values[i] ?? new Float32Array() }]));
}

/** Writes them back. */
export function writeBuffers(model: Module, values: Weights): void {
  for (const [name, buffer] of model.namedBuffers()) {
    const data = values.get(name)?.data;
    if (data) buffer.write(data);
  }
}
