// What a run minimises and what it reports: the loss and metrics of a batch, as one small tensor.
import { noGrad } from '../autograd/tape.js';
import type { Loader } from '../data/batch.js';
import { batchesOf } from '../data/batches_of.js';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import type { JsonValue } from '../io/json.js';
import { evaluation, type Module } from '../nn/module.js';
import { cast, div, equal, mul } from '../ops/elementwise/elementwise.js';
import { bceWithLogits, huber, type LossOptions, l1, mse } from '../ops/losses/losses.js';
import { argMax, mean, sum } from '../ops/reduce/reduce.js';
import { softmaxCrossEntropy } from '../ops/softmax_cross_entropy/softmax_cross_entropy.js';
import { stack } from '../ops/strided_copy/strided_copy.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Metrics } from './events.js';
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

const metricFunctions = {
  /** The share of samples whose largest output is at the target's class; of mixed classes, at the one with the largest share. */
  accuracy: (output, target) => {
    const classes = target.shape.length === output.shape.length ? argMax(target, -1) : target;
    return mean(cast(equal(argMax(output, -1), classes), 'f32'));
  },
} as const satisfies Record<string, (output: Tensor, target: Tensor) => Tensor>;

export type MetricName = keyof typeof metricFunctions;

export interface Objective {
  readonly loss: LossFunction;
  readonly metrics: readonly ((output: Tensor, target: Tensor) => Tensor)[];
  /** 'loss', then the metrics. */
  readonly names: readonly string[];
}

/** @throws E_ARGUMENT on an unknown name */
export function resolveLoss(
  loss: Loss = 'softmaxCrossEntropy',
  metrics?: readonly MetricName[],
  settings: CrossEntropySettings = {},
): Objective {
  const names = metrics ?? (loss === 'softmaxCrossEntropy' ? (['accuracy'] as const) : []);
  const pick = <T>(what: string, table: Readonly<Record<string, T>>, name: string): T => {
    const found = Object.hasOwn(table, name) ? table[name] : undefined;
    if (found === undefined) {
      throw new AnnealError(
        'E_ARGUMENT',
        `fit: expected ${what} to be one of ${Object.keys(table).join(', ')}, received '${name}'`,
      );
    }
    return found;
  };
  return {
    loss: typeof loss === 'function' ? loss : meanOf(pick<NamedLoss>('loss', lossFunctions, loss), settings),
    metrics: names.map((name) => pick<Objective['metrics'][number]>('a metric', metricFunctions, name)),
    names: ['loss', ...names],
  };
}

/** The loss of a batch, and with it loss and metrics in one tensor, so that they reach the host in one copy. */
export function measure(
  objective: Objective,
  output: Tensor,
  { y: target, weight }: Omit<DeviceBatch, 'x'>,
): { loss: Tensor; results: Tensor<'f32'> } {
  const loss = objective.loss(output, target, weight);
  if (loss.size !== 1) {
    throw new AnnealError('E_SHAPE', `fit: expected the loss to be a scalar, received [${loss.shape.join(',')}]`);
  }
  const results = noGrad(() => {
    const values = [loss, ...objective.metrics.map((metric) => metric(output, target))];
    return cast(stack(values.map((value) => value.view([]))), 'f32');
  });
  return { loss, results };
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
    return { samples: this.samples, sums: [...this.#sums] };
  }

  load(state: JsonValue): void {
    const { samples, sums } = fieldsOf('fit', state, { samples: 'number', sums: 'array' });
    if (sums.length !== this.#sums.length) {
      throw new AnnealError(
        'E_ARGUMENT',
        `fit: expected the metrics of the run that is resumed, ${sums.length} with the loss, received ${this.#sums.length}`,
      );
    }
    this.samples = samples;
    this.#sums.set(sums.map(Number));
  }

  means(): Record<string, number> {
    return Object.fromEntries(this.#names.map((name, i) => [name, (this.#sums[i] ?? 0) / this.samples]));
  }
}

/** The values of a tensor whose memory is given back as soon as the copy is enqueued. */
export function readAndDispose(tensor: Tensor<'f32'>): Promise<Float32Array> {
  const values = tensor.data();
  tensor.dispose();
  return values;
}

/** Batches whose results may be on their way while the next is enqueued. */
const IN_FLIGHT = 4;

/** Mean loss and metrics of a model over data, in evaluation mode. */
export async function evaluateObjective(model: Module, data: Loader, objective: Objective): Promise<Metrics> {
  const meter = new Meter(objective.names);
  const queue: { result: Promise<Float32Array>; size: number }[] = [];
  const finish = async (): Promise<void> => {
    const next = queue.shift();
    if (next) meter.add(await next.result, next.size);
  };
  for await (const batch of batchesOf(data, 0)) {
    const results = noGrad(() =>
      scope(() => {
        const { x, ...target } = normalized(upload(batch), data.normalize);
        return measure(objective, model.forward(x, evaluation), target).results;
      }),
    );
    const { backend } = results.storage;
    const result = readAndDispose(results);
    result.catch(() => undefined);
    queue.push({ result, size: batch.size });
    const most = backend.crowded() ? 1 : IN_FLIGHT;
    while (queue.length >= most) await finish();
  }
  while (queue.length > 0) await finish();
  if (meter.samples === 0) throw new AnnealError('E_ARGUMENT', 'evaluate: expected at least one batch, received none');
  return meter.means();
}
