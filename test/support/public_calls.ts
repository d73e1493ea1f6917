// The ops of the fixtures, as calls of the public ops.

import { batchNorm } from '../../src/ops/batch_norm/batch_norm.js';
import { conv2d } from '../../src/ops/conv2d/conv2d.js';
import { depthwiseConv2d } from '../../src/ops/depthwise_conv2d/depthwise_conv2d.js';
import { add, mul } from '../../src/ops/elementwise/binary.js';
import * as ew from '../../src/ops/elementwise/elementwise.js';
import { embedding, gather } from '../../src/ops/gather/gather.js';
import { layerNorm } from '../../src/ops/layer_norm/layer_norm.js';
import { bceWithLogits, huber, l1, mse } from '../../src/ops/losses/losses.js';
import { avgPool2d, globalAvgPool2d, globalMaxPool2d, maxPool2d } from '../../src/ops/pool2d/pool2d.js';
import * as red from '../../src/ops/reduce/reduce.js';
import { reshape } from '../../src/ops/reshape.js';
import { linear, matmul } from '../../src/ops/sgemm/sgemm.js';
import { logSoftmax, logSumExp, softmax } from '../../src/ops/softmax/softmax.js';
import { softmaxCrossEntropy } from '../../src/ops/softmax_cross_entropy/softmax_cross_entropy.js';
import { concat, flip, pad, slice, split, stack, tile, transpose } from '../../src/ops/strided_copy/strided_copy.js';
import type { WindowOptions } from '../../src/ops/window.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import type { Options } from './fixtures.js';
import type { Nd } from './nd.js';

type Tensors = Readonly<Record<string, Tensor>>;
/** The outputs by name; a single one is called y. */
export type PublicCall = (inputs: Tensors, options: Options) => Record<string, Tensor>;

const one =
  (f: (inputs: Tensors, options: Options) => Tensor): PublicCall =>
  (inputs, options) => ({ y: f(inputs, options) });
const unary = (f: (x: Tensor) => Tensor): PublicCall => one(({ x }) => f(x!));
const binary = (f: (a: Tensor, b: Tensor) => Tensor): PublicCall => one(({ a, b }) => f(a!, b!));
const reduction = (f: (x: Tensor, axes?: red.Axes, options?: red.ReduceOptions) => Tensor): PublicCall =>
  one(({ x }, { axes, keepDims }) => f(x!, axes ?? undefined, { keepDims: keepDims ?? false }));

/** Padding as the public ops take it. */
function window({ stride, dilation, padding }: Options): WindowOptions {
  const sides =
    typeof padding === 'object'
      ? ([
          [padding[0], padding[1]],
          [padding[2], padding[3]],
        ] as const)
      : padding;
  return { ...(stride && { stride }), ...(dilation && { dilation }), ...(sides && { padding: sides }) };
}

/** The activation that is fused, if any. */
function fused({ activation }: Options): { activation?: 'relu' | 'sigmoid' | 'tanh' } {
  return activation === undefined || activation === 'none' ? {} : { activation };
}

function area({ size }: Options): [number, number] {
  return [size![0]!, size![1]!];
}

export const publicCalls: Readonly<Record<string, PublicCall>> = {
  matmul: one(({ a, b }, { transposeA, transposeB }) =>
    matmul(a!, b!, { transposeA: transposeA ?? false, transposeB: transposeB ?? false }),
  ),
  linear: one(({ x, w, b }, o) => linear(x!, w!, b ?? null, fused(o))),
  conv2d: one(({ x, w, b }, o) =>
    conv2d(x!, w!, { ...window(o), ...fused(o), groups: o.groups ?? 1, bias: b ?? null }),
  ),
  depthwiseConv2d: one(({ x, w, b }, o) => depthwiseConv2d(x!, w!, { ...window(o), ...fused(o), bias: b ?? null })),
  maxPool2d: one(({ x }, o) => maxPool2d(x!, area(o), window(o))),
  avgPool2d: one(({ x }, o) => avgPool2d(x!, area(o), { ...window(o), countIncludePad: o.countIncludePad ?? false })),
  globalAvgPool2d: unary(globalAvgPool2d),
  globalMaxPool2d: unary(globalMaxPool2d),

  softmax: one(({ x }, { axis }) => softmax(x!, axis)),
  logSoftmax: one(({ x }, { axis }) => logSoftmax(x!, axis)),
  softmaxCrossEntropy: one(({ logits, labels, weights }, { labelSmoothing, reduction }) =>
    softmaxCrossEntropy(logits!, labels!, {
      labelSmoothing: labelSmoothing ?? 0,
      reduction: reduction!,
      ...(weights && { classWeights: weights }),
    }),
  ),
  mse: one(({ prediction, target }, { reduction }) => mse(prediction!, target!, { reduction: reduction! })),
  l1: one(({ prediction, target }, { reduction }) => l1(prediction!, target!, { reduction: reduction! })),
  huber: one(({ prediction, target }, { reduction, delta }) =>
    huber(prediction!, target!, { reduction: reduction!, delta: delta! }),
  ),
  bceWithLogits: one(({ logits, target }, { reduction }) => bceWithLogits(logits!, target!, { reduction: reduction! })),
  layerNorm: one(({ x, gamma, beta }, { epsilon }) => layerNorm(x!, { gamma: gamma!, beta: beta!, epsilon: epsilon! })),
  batchNorm: ({ x, gamma, beta, runningMean, runningVar }, { training, momentum, epsilon }) => {
    const statistics = { runningMean: runningMean!, runningVar: runningVar! };
    const options = { training: training!, momentum: momentum!, epsilon: epsilon! };
    const y = batchNorm(x!, { gamma: gamma!, beta: beta!, ...statistics, ...options });
    return { y, ...statistics }; // which were updated in place
  },
  embedding: one(({ table, ids }) => embedding(table!, ids!)),
  gather: one(({ x, indices }, { axis }) => gather(x!, indices!, axis)),

  neg: unary(ew.neg),
  abs: unary(ew.abs),
  exp: unary(ew.exp),
  log: unary(ew.log),
  log1p: unary(ew.log1p),
  expm1: unary(ew.expm1),
  sqrt: unary(ew.sqrt),
  rsqrt: unary(ew.rsqrt),
  square: unary(ew.square),
  reciprocal: unary(ew.reciprocal),
  sin: unary(ew.sin),
  cos: unary(ew.cos),
  tanh: unary(ew.tanh),
  sigmoid: unary(ew.sigmoid),
  softplus: unary(ew.softplus),
  erf: unary(ew.erf),
  relu: unary(ew.relu),
  leakyRelu: one(({ x }, { slope }) => ew.leakyRelu(x!, slope)),
  elu: one(({ x }, { alpha }) => ew.elu(x!, alpha)),
  gelu: unary(ew.gelu),
  geluTanh: unary(ew.geluTanh),
  silu: unary(ew.silu),
  sign: unary(ew.sign),
  floor: unary(ew.floor),
  ceil: unary(ew.ceil),
  round: unary(ew.round),
  clip: one(({ x }, { min, max }) => ew.clip(x!, min!, max!)),
  add: binary(ew.add),
  sub: binary(ew.sub),
  mul: binary(ew.mul),
  div: binary(ew.div),
  maximum: binary(ew.maximum),
  minimum: binary(ew.minimum),
  pow: binary(ew.pow),
  affine: one(({ x }, { alpha, value }) => ew.affine(x!, alpha!, value)),
  mod: binary(ew.mod),
  squaredDifference: binary(ew.squaredDifference),
  equal: binary(ew.equal),
  notEqual: binary(ew.notEqual),
  greater: binary(ew.greater),
  greaterEqual: binary(ew.greaterEqual),
  less: binary(ew.less),
  lessEqual: binary(ew.lessEqual),
  where: one(({ condition, a, b }) => ew.where(condition!, a!, b!)),
  cast: one(({ x }, { dtype }) => ew.cast(x!, dtype!)),
  broadcastTo: one(({ x }, { shape }) => ew.broadcastTo(x!, shape!)),

  sum: reduction(red.sum),
  mean: reduction(red.mean),
  max: reduction(red.max),
  min: reduction(red.min),
  prod: reduction(red.prod),
  variance: reduction(red.variance),
  sumSquares: reduction(red.sumSquares),
  norm: reduction(red.norm),
  logSumExp: reduction(logSumExp),
  argmax: one(({ x }, { axis }) => red.argMax(x!, axis!)),
  argmin: one(({ x }, { axis }) => red.argMin(x!, axis!)),

  stack: one((inputs, { axis }) => stack(Object.values(inputs), axis)),
  flip: one(({ x }, { axes }) => flip(x!, axes ?? undefined)),
  tile: one(({ x }, { sizes }) => tile(x!, sizes!)),
  concat: one((inputs, { axis }) => concat(Object.values(inputs), axis)),
  split: ({ x }, { axis, sizes }) => Object.fromEntries(split(x!, sizes!, axis).map((part, i) => [`y${i}`, part])),
  slice: one(({ x }, { begin, size }) => slice(x!, begin!, size!)),
  pad: one(({ x }, { paddings, value }) => pad(x!, paddings!, value)),
  transpose: one(({ x }, { permutation }) => transpose(x!, permutation!)),
  reshape: one(({ x }, { shape }) => reshape(x!, shape!)),
};

/** The sum of weights * output over all outputs that have weights: a scalar, on the tape. */
export function functional(outputs: Tensors, weights: Readonly<Record<string, Nd>>): Tensor {
  let total: Tensor | null = null;
  for (const [name, y] of Object.entries(outputs)) {
    const w = weights[name];
    if (!w) continue;
    const term = red.sum(mul(y, tensor(Float32Array.from(w.data), w.shape)));
    total = total ? add(total, term) : term;
  }
  if (!total) throw new Error('no output has weights');
  return total;
}
