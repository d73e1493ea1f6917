import type { BatchIterable, HostBatch } from '../data/batch.js';

/** A batch as a part of a step that accumulates the gradients of several. */
export interface BatchPart {
  readonly batch: HostBatch;
  /** Within the step, from 0. */
  readonly index: number;
  /** The update follows. */
  readonly last: boolean;
}

/** Batches in groups of `count`; the last group of an epoch may have fewer. */
export async function* batchParts(batches: BatchIterable, count: number): AsyncGenerator<BatchPart, void> {
  if (count === 1) {
    for await (const batch of batches) yield { batch, index: 0, last: true };
    return;
  }
  // One is held back, to see whether another follows. (Batches are valid until two more have been taken.)
  let held: HostBatch | null = null;
  let index = 0;
  for await (const batch of batches) {
    if (held !== null) {
      yield { batch: held, index, last: false };
      index++;
    }
    held = batch;
    if (index === count - 1) {
      yield { batch: held, index, last: true };
      held = null;
      index = 0;
    }
  }
  if (held !== null) yield { batch: held, index, last: true };
}
