// What a run measures beside its loss.
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { arange } from '../ops/creation.js';
import { cast, equal, less, lessEqual, logicalNot, where } from '../ops/elementwise/elementwise.js';
import { argMax, mean, sum } from '../ops/reduce/reduce.js';
import { reshape } from '../ops/reshape.js';
import type { Tensor } from '../tensor/tensor.js';

/** The mean of a metric over a batch, a scalar, from the model's output and the targets, made of ops: it is computed on the device. */
export type MetricFunction = (output: Tensor, target: Tensor) => Tensor;

export interface Metric {
  /** Of events and logs, where validation's begin with val_ and ema_val_. One that ends in accuracy is better the larger it is. */
  readonly name: string;
  readonly fn: MetricFunction;
}

/** One class for each sample; of mixed classes the one with the largest share. */
const classesOf = (output: Tensor, target: Tensor): Tensor =>
  target.rank === output.rank ? argMax(target, -1) : target;

const metricFunctions = {
  /** The share of samples whose largest output is at the target's class. */
  accuracy: (output, target) => mean(cast(equal(argMax(output, -1), classesOf(output, target)), 'f32')),
} as const satisfies Record<string, MetricFunction>;

export type MetricName = keyof typeof metricFunctions;

/**
 * `top5_accuracy` for k = 5: the share of samples for which fewer than k outputs [N, classes] are larger than that of the target's class.
 * @throws E_ARGUMENT unless k is an integer of at least 1
 */
export function topK(k: number): Metric {
  wholeNumber('topK', 'k', k);
  return {
    name: `top${k}_accuracy`,
    fn(output, target) {
      const classes = classesOf(output, target);
      const all = arange(0, output.shape.at(-1) ?? 0, 1, { dtype: 'i32', device: output.device });
      const isClass = equal(reshape(classes, [...classes.shape, 1]), all);
      const own = sum(where(isClass, output, 0), -1, { keepDims: true });
      // NaN is never among the k.
      const ahead = sum(logicalNot(lessEqual(output, own)), -1);
      return mean(cast(less(ahead, k), 'f32'));
    },
  };
}

/** @throws E_ARGUMENT on a name that there is none of, that is taken, or that validation's begin with */
export function resolveMetrics(metrics: readonly (MetricName | Metric)[]): readonly Metric[] {
  const found = metrics.map((metric): Metric => {
    if (typeof metric !== 'string') return metric;
    if (Object.hasOwn(metricFunctions, metric)) return { name: metric, fn: metricFunctions[metric] };
    const names = Object.keys(metricFunctions).join(', ');
    throw new AnnealError(
      'E_ARGUMENT',
      `fit: expected a metric to be one of ${names}, or { name, fn }, received '${metric}'`,
    );
  });
  const names = found.map(({ name }) => name);
  const wrong = names.find(
    (name, i) => !/^(?!loss$|val_|ema_)./.test(name) || names.indexOf(name) !== i || typeof found[i]?.fn !== 'function',
  );
  if (wrong !== undefined) {
    throw new AnnealError(
      'E_ARGUMENT',
      `fit: expected metrics with a function and a name each, none twice, none loss, val_... or ema_..., received '${wrong}'`,
    );
  }
  return found;
}
