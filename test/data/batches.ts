// What loaders give, as plain values.
import type { BatchIterable, HostBatch } from '../../src/data/batch.js';

/** A copy of a batch, since its arrays may be used again. */
export function plain({ x, y, weight, size, position }: HostBatch) {
  const tensor = ({ data, shape, dtype }: HostBatch['x']) => ({ data: Array.from(data), shape: [...shape], dtype });
  return { x: tensor(x), y: tensor(y), ...(weight && { weight: tensor(weight) }), size, position };
}

export async function plainBatches(batches: BatchIterable): Promise<ReturnType<typeof plain>[]> {
  const all: ReturnType<typeof plain>[] = [];
  for await (const batch of batches) all.push(plain(batch));
  return all;
}

/** y of each batch. */
export async function labelsOf(batches: BatchIterable): Promise<number[][]> {
  const all: number[][] = [];
  for await (const { y } of batches) all.push(Array.from(y.data));
  return all;
}

export const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
