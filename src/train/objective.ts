// What a run minimises and what it reports: the loss and metrics of a batch, as one small tensor.
import { noGrad } from '../autograd/tape.js';
import type { Loader } from '../data/batch.js';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import type { JsonValue } from '../io/json.js';
import { evaluation, type Module } from '../nn/module.js';
import { cast, div, mul } from '../ops/elementwise/elementwise.js';
import { bceWithLogits, huber, type LossOptions, l1, mse } from '../ops/losses/losses.js';
import { mean, sum } from '../ops/reduce/reduce.js';
import { softmaxCrossEntropy } from '../ops/softmax_cross_entropy/softmax_cross_entropy.js';
import { stack } from '../ops/strided_copy/strided_copy.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Metrics } from './events.js';
import { type Metric, type MetricName, resolveMetrics } from './metrics.js';
import { readBatches } from './read_batches.js';
import { type DeviceBatch, normalized, upload } from './to_device.js';

/**
 * The mean loss of a batch, a scalar, from the model's output and the targets. Where the data gives weights, f32 [N], the mean is
 * to be sum(weight * loss) / sum(weight).
 */
export type LossFunction = (output: Tensor, target: Tensor, weight?: Tensor) => Tensor;

/** What only a cross-entropy takes. */
export interface CrossEntropySettings {
  readonly labelSmoothing?: number;
  /** f32 [classes]. */
  readonly classWeights?: Tensor;
}

/** A loss by its name, over all examples or, with 'none', for each. */
type NamedLoss = (output: Tensor, target: Tensor, options: LossOptions & CrossEntropySettings) => Tensor;

const lossFunctions = {
  softmaxCrossEntropy,
  mse,
  l1,
  huber,
  bceWithLogits,
} as const satisfies Record<string, NamedLoss>;

/** The named loss as a mean, weighted where there are weights. */
function meanOf(loss: NamedLoss, settings: CrossEntropySettings): LossFunction {
  return (output, target, weight) => {
    if (weight === undefined) return loss(output, target, settings);
    const each = loss(output, target, { ...settings, reduction: 'none' });
    const axes = each.shape.slice(1).map((_size, i) => i + 1);
    const examples = axes.length === 0 ? each : mean(each, axes);
    return div(sum(mul(examples, weight)), sum(weight));
  };
}

export type Loss = keyof typeof lossFunctions | LossFunction;

export interface Objective {
  readonly loss: LossFunction;
  readonly metrics: readonly Metric[];
  /** 'loss', then the metrics. */
  readonly names: readonly string[];
}

/** @throws E_ARGUMENT on an unknown name */
export function resolveLoss(
  loss: Loss = 'softmaxCrossEntropy',
  metrics: readonly (MetricName | Metric)[] = loss === 'softmaxCrossEntropy' ? ['accuracy'] : [],
  settings: CrossEntropySettings = {},
): Objective {
  const resolved = resolveMetrics(metrics);
  return {
    loss: typeof loss === 'function' ? loss : meanOf(namedLoss(loss), settings),
    metrics: resolved,
    names: ['loss', ...resolved.map(({ name }) => name)],
  };
}

function namedLoss(name: string): NamedLoss {
  const table: Readonly<Record<string, NamedLoss>> = lossFunctions;
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found !== undefined) return found;
  const names = Object.keys(table).join(', ');
  throw new AnnealError('E_ARGUMENT', `fit: expected loss to be one of ${names}, received '${name}'`);
}

/** The loss of a batch, and with it loss and metrics in one tensor, so that they reach the host in one copy. */
export function measure(
  objective: Objective,
  output: Tensor,
  { y: target, weight }: Omit<DeviceBatch, 'x'>,
): { loss: Tensor; results: Tensor<'f32'> } {
  const loss = objective.loss(output, target, weight);
  const results = noGrad(() => {
    const values = [loss, ...objective.metrics.map(({ fn }) => fn(output, target))];
    const scalars = values.map((value, i) => cast(scalarOf(value, objective.names[i] ?? ''), 'f32'));
    return cast(stack(scalars), 'f32');
  });
  return { loss, results };
}

function scalarOf(value: Tensor, name: string): Tensor {
  if (value.size === 1) return value.view([]);
  throw new AnnealError('E_SHAPE', `fit: expected ${name} to be a scalar, received [${value.shape.join(',')}]`);
}

/** Means over batches, weighted by their sizes. */
export class Meter {
  samples = 0;
  readonly #names: readonly string[];
  readonly #sums: Float64Array;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#sums = new Float64Array(names.length);
  }

  /** Adds a batch's values and gives them by name. */
  add(values: Float32Array, size: number): Metrics & { readonly loss: number } {
    const metrics: Record<string, number> = {};
    this.#names.forEach((name, i) => {
      const value = values[i] ?? Number.NaN;
      metrics[name] = value;
      this.#sums[i] = (this.#sums[i] ?? 0) + value * size;
    });
    this.samples += size;
    return { ...metrics, loss: values[0] ?? Number.NaN };
  }

  /** For `load`, also of a meter in another process. */
  state(): JsonValue {
    return { samples: this.samples, names: this.#names, sums: [...this.#sums] };
  }

  load(state: JsonValue): void {
    const { samples, names, sums } = fieldsOf('fit', state, { samples: 'number', names: 'array', sums: 'array' });
    const [theirs, ours] = [names.join(', '), this.#names.join(', ')];
    if (theirs !== ours) {
      throw new AnnealError(
        'E_ARGUMENT',
        `fit: expected the metrics of the run that is resumed, ${theirs}, received ${ours}`,
      );
    }
    this.samples = samples;
    this.#sums.set(sums.map(Number));
  }

  means(): Record<string, number> {
    return Object.fromEntries(this.#names.map((name, i) => [name, (this.#sums[i] ?? 0) / this.samples]));
  }
}

/** Mean loss and metrics of a model over data, in evaluation mode. */
export async function evaluateObjective(model: Module, data: Loader, objective: Objective): Promise<Metrics> {
  const meter = new Meter(objective.names);
  await readBatches(
    data,
    (batch) => {
      const { x, ...target } = normalized(upload(batch), data.normalize);
      return measure(objective, model.forward(x, evaluation), target).results;
    },
    ({ size }) => size,
    (values, size) => meter.add(values, size),
  );
  if (meter.samples === 0) throw new AnnealError('E_ARGUMENT', 'evaluate: expected at least one batch, received none');
  return meter.means();
}
