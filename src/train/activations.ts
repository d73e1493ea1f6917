// What the layers of a model give for a batch.
import { noGrad } from '../autograd/tape.js';
import type { HostBatch, Normalize } from '../data/batch.js';
import { evaluation, type Module } from '../nn/module.js';
import { cast, equal, mul, sub } from '../ops/elementwise/elementwise.js';
import { mean, min } from '../ops/reduce/reduce.js';
import { stack } from '../ops/strided_copy/strided_copy.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ActivationStatistics } from './events.js';
import { normalized, upload } from './to_device.js';

/** Mean, variance, zeros and dead units of one output [N, ..., C], as one tensor [4]. */
function statisticsOf(output: Tensor): Tensor {
  const x = cast(output, 'f32');
  const average = mean(x);
  const variance = sub(mean(mul(x, x)), mul(average, average));
  const zero = cast(equal(x, 0), 'f32');
  const dead =
    x.rank > 1
      ? mean(
          min(
            zero,
            x.shape.slice(0, -1).map((_size, axis) => axis),
          ),
        )
      : mean(zero);
  return stack([average, variance, mean(zero), dead]);
}

/** One forward pass in evaluation mode; statistics of each layer of a `sequential`, nested ones included, by its path. */
export async function activationStatistics(
  model: Module,
  batch: HostBatch,
  normalize: Normalize | undefined,
): Promise<Record<string, ActivationStatistics>> {
  const names: string[] = [];
  const values = noGrad(() =>
    scope(() => {
      const each: Tensor[] = [];
      const { x } = normalized(upload(batch), normalize);
      model.forward(x, {
        ...evaluation,
        observe(layer, output) {
          if (output.size === 0) return;
          names.push(layer.path);
          each.push(statisticsOf(output));
        },
      });
      return each.length === 0 ? null : stack(each);
    }),
  );
  if (values === null) return {};
  const read = values.data();
  values.dispose();
  const numbers = await read;
  return Object.fromEntries(
    names.map((name, i) => {
      const [average = Number.NaN, variance = Number.NaN, zeros = Number.NaN, dead = Number.NaN] = numbers.subarray(
        4 * i,
      );
      return [name, { mean: average, standardDeviation: Math.sqrt(Math.max(0, variance)), zeros, dead }];
    }),
  );
}
