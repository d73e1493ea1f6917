// Each work as calls of the public API, on operands drawn from the seed: what a user of the library writes, and, through
// `capture`, the kernels behind it.
import * as autograd from '../autograd/index.js';
import { capture } from '../capture/index.js';
import * as nn from '../nn/index.js';
import * as ops from '../ops/index.js';
import * as optim from '../optim/index.js';
import { keep, scope } from '../tensor/scope.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import type {
  ConvWork,
  CrossEntropyWork,
  ElementwiseWork,
  NormWork,
  OptimizerWork,
  PoolWork,
  SgemmWork,
  TrainWork,
  Work,
} from './works.js';

export interface Calls {
  /** Enqueues the work once. */
  call(): void;
  /** For work whose user waits for a value each time: one call, done when the value is there. */
  readonly step?: () => Promise<number>;
}

export interface Problem extends Calls, Disposable {
  /** The same, captured. */
  readonly captured?: Calls;
}

const LEARNING_RATE = 1e-3;
const MOMENTUM = 0.9;
const WEIGHT_DECAY = 1e-4;
const EMA_DECAY = 0.999;

/** Operands of one problem: a stream of the seed for each, all disposed together. */
class Operands implements Disposable {
  #made: Tensor[] = [];

  constructor(readonly seed: number) {}

  normal(shape: readonly number[]): Tensor<'f32'> {
    return this.#keep(ops.normal(shape, { seed: this.seed, stream: this.#made.length }));
  }

  /** A leaf that gradients flow to when `wanted`. */
  leaf(shape: readonly number[], wanted: boolean): Tensor<'f32'> {
    const made = this.normal(shape);
    return wanted ? made.requireGrad() : made;
  }

  constant(shape: readonly number[], value: number): Tensor<'f32'> {
    return this.#keep(ops.full(shape, value));
  }

  /** Class indices, the same for every seed. */
  labels(count: number, classes: number): Tensor<'i32'> {
    const values = Int32Array.from({ length: count }, (_, i) => (i * 7) % classes);
    return this.#keep(tensor(values, [count]));
  }

  #keep<T extends Tensor>(made: T): T {
    this.#made.push(keep(made));
    return made;
  }

  [Symbol.dispose](): void {
    for (const made of this.#made) made.dispose();
    this.#made = [];
  }
}

/** One op alone, its result let go. */
function alone(operands: Operands, forward: () => Tensor): Problem {
  return { call: () => forward().dispose(), [Symbol.dispose]: () => operands[Symbol.dispose]() };
}

/**
 * `forward` alone, or, where leaves want gradients, with those: of the sum of its result weighted by `dy`, or of a result
 * that is a single number.
 */
function passes(operands: Operands, forward: () => Tensor, leaves: readonly Tensor[], dy: Tensor | null): Problem {
  if (!leaves.some((leaf) => leaf.requiresGrad)) return alone(operands, forward);
  const call = (): void =>
    scope(() => {
      autograd.backward(forward(), dy ?? undefined);
      for (const leaf of leaves) {
        leaf.grad?.dispose();
        leaf.grad = null;
      }
    });
  return { call, [Symbol.dispose]: () => operands[Symbol.dispose]() };
}

function sgemm({ batch, m, n, k, transA, transB }: SgemmWork, on: Operands): Problem {
  const lead = batch > 1 ? [batch] : [];
  const a = on.normal([...lead, ...(transA ? [k, m] : [m, k])]);
  const b = on.normal([...lead, ...(transB ? [n, k] : [k, n])]);
  return alone(on, () => ops.matmul(a, b, { transposeA: transA, transposeB: transB }));
}

function convolution(work: ConvWork, on: Operands): Problem {
  const { kind, pass, n, h, w, c, oc, size, stride, pad } = work;
  const train = pass === 'fwdbwd';
  const x = on.leaf([n, h, w, c], train);
  const depthwise = kind === 'depthwise_conv2d';
  const weights = on.leaf(depthwise ? [size, size, c, 1] : [size, size, c, oc], train);
  const outH = Math.floor((h + 2 * pad - size) / stride) + 1;
  const outW = Math.floor((w + 2 * pad - size) / stride) + 1;
  const dy = train ? on.normal([n, outH, outW, oc]) : null;
  const options = { stride, padding: pad };
  const forward = (): Tensor =>
    depthwise ? ops.depthwiseConv2d(x, weights, options) : ops.conv2d(x, weights, options);
  return passes(on, forward, [x, weights], dy);
}

function pool({ pass, mode, n, h, w, c, size, stride }: PoolWork, on: Operands): Problem {
  const train = pass === 'fwdbwd';
  const x = on.leaf([n, h, w, c], train);
  const out = (length: number): number => Math.floor((length - size) / stride) + 1;
  const dy = train ? on.normal([n, out(h), out(w), c]) : null;
  const op = mode === 'max' ? ops.maxPool2d : ops.avgPool2d;
  return passes(on, () => op(x, size, { stride }), [x], dy);
}

function norm({ kind, pass, rows, columns }: NormWork, on: Operands): Problem {
  const train = pass === 'fwdbwd';
  const x = on.leaf([rows, columns], train);
  const gamma = on.leaf([columns], train);
  const beta = on.leaf([columns], train);
  const dy = train ? on.normal([rows, columns]) : null;
  if (kind === 'layer_norm') return passes(on, () => ops.layerNorm(x, { gamma, beta }), [x, gamma, beta], dy);
  const runningMean = on.constant([columns], 0);
  const runningVar = on.constant([columns], 1);
  const options = { training: true, gamma, beta, runningMean, runningVar };
  return passes(on, () => ops.batchNorm(x, options), [x, gamma, beta], dy);
}

function crossEntropy({ pass, rows, columns }: CrossEntropyWork, on: Operands): Problem {
  const logits = on.leaf([rows, columns], pass === 'fwdbwd');
  const labels = on.labels(rows, columns);
  const loss = (): Tensor => ops.softmaxCrossEntropy(logits, labels);
  return pass === 'fwd' ? alone(on, () => scope(loss)) : passes(on, loss, [logits], null);
}

function elementwise({ op, n }: ElementwiseWork, on: Operands): Problem {
  const a = on.normal([n]);
  if (op === 'relu') return alone(on, () => ops.relu(a));
  if (op === 'gelu') return alone(on, () => ops.gelu(a));
  if (op === 'tanh') return alone(on, () => ops.tanh(a));
  const b = on.normal([n]);
  if (op === 'add') return alone(on, () => ops.add(a, b));
  const c = on.normal([n]);
  const chain = (inputs: { a: Tensor; b: Tensor; c: Tensor }): Tensor =>
    ops.relu(ops.add(ops.mul(inputs.a, inputs.b), inputs.c));
  const captured = capture(chain);
  return {
    call: () => scope(() => chain({ a, b, c })).dispose(),
    captured: { call: () => captured({ a, b, c }).dispose() },
    [Symbol.dispose]() {
      captured.dispose();
      on[Symbol.dispose]();
    },
  };
}

function optimizer({ rule, shapes }: OptimizerWork, on: Operands): Problem {
  const parameters = shapes.map((shape, i): [string, Tensor<'f32'>] => [`p${i}`, on.leaf(shape, true)]);
  const options = { lr: LEARNING_RATE, weightDecay: WEIGHT_DECAY, ema: { decay: EMA_DECAY } };
  const spec =
    rule === 'sgd' ? optim.sgd({ ...options, momentum: MOMENTUM }) : optim.adamw({ ...options, betas: [0.9, 0.999] });
  const bound = optim.create(spec, parameters);
  // Gradients as backward leaves them: in the arena.
  scope(() => {
    const { grads } = bound.arena;
    grads.write(ops.normal([grads.size], { seed: on.seed, stream: shapes.length, device: 'cpu' }).dataSync());
  });
  for (const [, parameter] of parameters) parameter.grad = parameter.gradSlot;
  return {
    call: () => bound.step(),
    [Symbol.dispose]() {
      bound.dispose();
      on[Symbol.dispose]();
    },
  };
}

function net(kind: TrainWork['net']): nn.Sequential {
  if (kind === 'mlp') return nn.models.mlp({ hidden: [128], outputs: 10 });
  return nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] });
}

function training({ net: kind, batch }: TrainWork, on: Operands): Problem {
  const shape = kind === 'cnn' ? [28, 28, 1] : [784];
  const model = net(kind);
  model.build(shape, on.seed);
  const sgd = optim.create(optim.sgd({ lr: LEARNING_RATE, momentum: MOMENTUM }), model.namedParameters());
  const x = on.normal([batch, ...shape]);
  const labels = on.labels(batch, 10);
  const update = (inputs: { x: Tensor; labels: Tensor }): Tensor => {
    const output = model.forward(inputs.x, { training: true, seed: on.seed, step: 0 });
    const loss = ops.softmaxCrossEntropy(output, inputs.labels);
    sgd.zeroGrad();
    autograd.backward(loss);
    sgd.step();
    return loss;
  };
  const awaited = (enqueue: () => Tensor): Calls => ({
    call: () => enqueue().dispose(),
    async step() {
      const loss = enqueue();
      const value = await loss.item();
      loss.dispose();
      return value;
    },
  });
  const captured = capture(update);
  return {
    ...awaited(() => scope(() => update({ x, labels }))),
    captured: awaited(() => captured({ x, labels })),
    [Symbol.dispose]() {
      captured.dispose();
      sgd.dispose();
      model.dispose();
      on[Symbol.dispose]();
    },
  };
}

/** The work, ready to be called; dispose it. */
export function problemOf(work: Work, seed: number): Problem {
  const on = new Operands(seed);
  switch (work.kind) {
    case 'sgemm':
      return sgemm(work, on);
    case 'conv2d':
    case 'depthwise_conv2d':
      return convolution(work, on);
    case 'pool2d':
      return pool(work, on);
    case 'batch_norm':
    case 'layer_norm':
      return norm(work, on);
    case 'softmax_cross_entropy':
      return crossEntropy(work, on);
    case 'elementwise':
      return elementwise(work, on);
    case 'optimizer':
      return optimizer(work, on);
    case 'train':
      return training(work, on);
    case 'overhead': {
      const { times } = work;
      const [a, b] = [on.normal([1]), on.normal([1])];
      if (times === 1) return alone(on, () => ops.add(a, b));
      const chain = (inputs: { a: Tensor; b: Tensor }): Tensor => {
        let sum = ops.add(inputs.a, inputs.b);
        for (let i = 1; i < times; i++) sum = ops.add(sum, inputs.b);
        return sum;
      };
      // Not fused: it is to show what an op costs, however little there is to do.
      const captured = capture(chain, { fuse: false });
      return {
        call: () => scope(() => chain({ a, b })).dispose(),
        captured: { call: () => captured({ a, b }).dispose() },
        [Symbol.dispose]() {
          captured.dispose();
          on[Symbol.dispose]();
        },
      };
    }
  }
}
