// What callbacks want of a step beside its metrics.
import type { HostBatch, Normalize } from '../data/batch.js';
import type { Module } from '../nn/module.js';
import type { Optimizer } from '../optim/optimizer.js';
import { activationStatistics } from './activations.js';
import type { Callback, Wanted } from './callback.js';
import type { StepEvent } from './events.js';

export type WantedValues = Pick<StepEvent, 'updateRatios' | 'gradNorm' | 'activations'>;

/** Enqueues the measurements at once, so that they are of the step just enqueued; null where nobody wants any. */
export function measureWanted(
  callbacks: readonly Callback[],
  step: number,
  optimizer: Optimizer,
  model: Module,
  batch: HostBatch,
  normalize: Normalize | undefined,
): Promise<WantedValues> | null {
  const wanted = callbacks.map((callback) => callback.wants?.(step));
  const wants = (what: keyof Wanted): boolean => wanted.some((each) => each?.[what]);
  const parts: Promise<WantedValues>[] = [];
  if (wants('updateRatios')) parts.push(optimizer.updateRatios().then((updateRatios) => ({ updateRatios })));
  if (wants('gradNorm')) parts.push(optimizer.gradNorm().then((gradNorm) => ({ gradNorm })));
  if (wants('activations'))
    parts.push(activationStatistics(model, batch, normalize).then((activations) => ({ activations })));
  return parts.length === 0 ? null : Promise.all(parts).then((values) => Object.assign({}, ...values));
}
