// Validation after an epoch: of the weights as they are, and of their average beside them.
import type { Loader } from '../data/batch.js';
import type { Module, Weights } from '../nn/module.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { Metrics } from './events.js';
import { evaluateObjective, type Objective } from './objective.js';
import { buffersOf, type RefreshStatisticsOptions, refreshStatistics, writeBuffers } from './statistics.js';

export interface Refresh extends RefreshStatisticsOptions {
  /** Training data. */
  readonly data: Loader;
}

/**
 * Metrics under val_ and, where the optimizer keeps an average, under ema_val_. With `refresh` the average is looked at with
 * statistics of its own, which are given back; the model's are then as they were.
 */
export async function validate(
  model: Module,
  optimizer: Optimizer,
  validation: Loader,
  objective: Objective,
  refresh: Refresh | null,
): Promise<{ readonly metrics: Metrics; readonly averagedBuffers: Weights | null }> {
  const metrics: Record<string, number> = {};
  const look = async (prefix: string): Promise<void> => {
    const values = await evaluateObjective(model, validation, objective);
    for (const [name, value] of Object.entries(values)) metrics[prefix + name] = value;
  };
  await look('val_');
  if (!optimizer.hasEma) return { metrics, averagedBuffers: null };
  const averagedBuffers = await optimizer.withEma(async () => {
    if (refresh === null) {
      await look('ema_val_');
      return null;
    }
    const { data, ...options } = refresh;
    const own = await buffersOf(model);
    try {
      await refreshStatistics(model, data, options);
      await look('ema_val_');
      return await buffersOf(model);
    } finally {
      writeBuffers(model, own);
    }
  });
  return { metrics, averagedBuffers };
}
