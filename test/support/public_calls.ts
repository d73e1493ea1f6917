// The ops of the fixtures, as calls of the public ops.
import { add, mul } from '../../src/ops/elementwise/binary.js';
import * as ew from '../../src/ops/elementwise/elementwise.js';
import * as red from '../../src/ops/reduce/reduce.js';
import { reshape } from '../../src/ops/reshape.js';
import { concat, pad, slice, split, transpose } from '../../src/ops/strided_copy/strided_copy.js';
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

export const publicCalls: Readonly<Record<string, PublicCall>> = {
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
  argmax: one(({ x }, { axis }) => red.argMax(x!, axis!)),
  argmin: one(({ x }, { axis }) => red.argMin(x!, axis!)),

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
