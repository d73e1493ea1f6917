import type { Loader } from '../data/batch.js';
import type { Module } from '../nn/module.js';
import type { Metrics } from './events.js';
import type { Metric, MetricName } from './metrics.js';
import { evaluateObjective, type Loss, resolveLoss } from './objective.js';

export interface EvaluateOptions {
  readonly data: Loader;
  readonly loss?: Loss;
  readonly metrics?: readonly (MetricName | Metric)[];
}

/** Mean loss and metrics of a built model over data, in evaluation mode. @throws E_ARGUMENT without a batch */
export function evaluate(model: Module, { data, loss, metrics }: EvaluateOptions): Promise<Metrics> {
  return evaluateObjective(model, data, resolveLoss(loss, metrics));
}
