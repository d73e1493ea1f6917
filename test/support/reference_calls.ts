// The ops of the fixtures, as calls of the reference ops.
import type { Options } from './fixtures.js';
import { at, broadcastAt, broadcastShape, build, type Nd } from './nd.js';
import * as ref from './reference_ops.js';

type Inputs = Readonly<Record<string, Nd>>;
export type ReferenceCall = (inputs: Inputs, options: Options) => Nd | Record<string, Nd>;

const unary =
  (f: (x: number) => number): ReferenceCall =>
  ({ x }) =>
    ref.map(x!, f);
const binary =
  (f: (a: number, b: number) => number): ReferenceCall =>
  ({ a, b }) =>
    ref.zip(a!, b!, f);
const reduction =
  (f: (values: number[]) => number): ReferenceCall =>
  ({ x }, { axes, keepDims }) =>
    ref.reduce(x!, axes ?? null, keepDims ?? false, f);
const extreme =
  (pick: (...values: number[]) => number): ReferenceCall =>
  ({ x }, { axis }) =>
    ref.reduce(x!, [axis!], false, (v) => v.indexOf(pick(...v)));
const pairLoss =
  (kind: 'mse' | 'l1'): ReferenceCall =>
  ({ prediction, target }, options) =>
    ref.pairLoss(kind, prediction!, target!, options.reduction!);

function window(options: Options): ref.Window {
  const { stride, dilation, padding } = options;
  return { ...(stride && { stride }), ...(dilation && { dilation }), ...(padding && { padding }) };
}

function area({ size }: Options): [number, number] {
  return [size![0]!, size![1]!];
}

function truth(condition: boolean): number {
  return condition ? 1 : 0;
}

/** Rounds halves to even, as IEEE and PyTorch do. */
function rint(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

export const referenceCalls: Readonly<Record<string, ReferenceCall>> = {
  matmul: ({ a, b }, { transposeA, transposeB }) => ref.matmul(a!, b!, transposeA, transposeB),
  linear: ({ x, w, b }, { activation }) => ref.linear(x!, w!, b ?? null, activation),
  conv2d: ({ x, w, b }, o) => ref.conv2d(x!, w!, b ?? null, window(o), o.groups, o.activation),
  depthwiseConv2d: ({ x, w, b }, o) => ref.depthwiseConv2d(x!, w!, b ?? null, window(o)),
  maxPool2d: ({ x }, o) => ref.maxPool2d(x!, area(o), window(o)),
  avgPool2d: ({ x }, o) => ref.avgPool2d(x!, area(o), window(o), o.countIncludePad),
  globalAvgPool2d: ({ x }) => ref.reduce(x!, [1, 2], false, ref.fold.mean),
  globalMaxPool2d: ({ x }) => ref.reduce(x!, [1, 2], false, ref.fold.max),

  neg: unary((x) => -x),
  abs: unary(Math.abs),
  exp: unary(Math.exp),
  log: unary(Math.log),
  log1p: unary(Math.log1p),
  expm1: unary(Math.expm1),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  square: unary((x) => x * x),
  reciprocal: unary((x) => 1 / x),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  tanh: unary(Math.tanh),
  sigmoid: unary(ref.scalar.sigmoid),
  softplus: unary(ref.scalar.softplus),
  erf: unary(ref.erf),
  relu: unary((x) => Math.max(x, 0)),
  leakyRelu: ({ x }, { slope }) => ref.map(x!, ref.scalar.leakyRelu(slope!)),
  elu: ({ x }, { alpha }) => ref.map(x!, ref.scalar.elu(alpha!)),
  gelu: unary(ref.scalar.gelu),
  geluTanh: unary(ref.scalar.geluTanh),
  silu: unary(ref.scalar.silu),
  sign: unary(Math.sign),
  floor: unary(Math.floor),
  ceil: unary(Math.ceil),
  round: unary(rint),
  clip: ({ x }, { min, max }) => ref.map(x!, (v) => Math.min(Math.max(v, min!), max!)),

  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  maximum: binary(Math.max),
  minimum: binary(Math.min),
  pow: binary((a, b) => a ** b),
  affine: ({ x }, { alpha, value }) => ref.map(x!, (v) => alpha! * v + value!),
  mod: binary((a, b) => a - b * Math.floor(a / b)),
  squaredDifference: binary((a, b) => (a - b) ** 2),
  equal: binary((a, b) => truth(a === b)),
  notEqual: binary((a, b) => truth(a !== b)),
  greater: binary((a, b) => truth(a > b)),
  greaterEqual: binary((a, b) => truth(a >= b)),
  less: binary((a, b) => truth(a < b)),
  lessEqual: binary((a, b) => truth(a <= b)),
  where: ({ condition, a, b }) =>
    build(broadcastShape(condition!.shape, a!.shape, b!.shape), (index) =>
      broadcastAt(condition!, index) !== 0 ? broadcastAt(a!, index) : broadcastAt(b!, index),
    ),

  sum: reduction(ref.fold.sum),
  mean: reduction(ref.fold.mean),
  max: reduction(ref.fold.max),
  min: reduction(ref.fold.min),
  prod: reduction(ref.fold.prod),
  variance: reduction(ref.fold.variance),
  sumSquares: reduction((v) => v.reduce((sum, x) => sum + x * x, 0)),
  norm: reduction((v) => Math.hypot(...v)),
  logSumExp: reduction((v) => Math.log(v.reduce((sum, x) => sum + Math.exp(x), 0))),
  argmax: extreme(Math.max),
  argmin: extreme(Math.min),

  softmax: ({ x }, { axis }) => ref.softmax(x!, axis),
  logSoftmax: ({ x }, { axis }) => ref.logSoftmax(x!, axis),
  softmaxCrossEntropy: ({ logits, labels, weights }, { labelSmoothing, reduction }) =>
    ref.softmaxCrossEntropy(logits!, [...labels!.data], {
      smoothing: labelSmoothing ?? 0,
      reduction: reduction!,
      ...(weights && { weights: [...weights.data] }),
    }),
  mse: pairLoss('mse'),
  l1: pairLoss('l1'),
  huber: ({ prediction, target }, { delta, reduction }) => ref.huber(prediction!, target!, delta!, reduction!),
  bceWithLogits: ({ logits, target }, { reduction }) => ref.bceWithLogits(logits!, target!, reduction!),

  layerNorm: ({ x, gamma, beta }, { epsilon }) => ref.layerNorm(x!, gamma!, beta!, epsilon),
  batchNorm: ({ x, gamma, beta, runningMean, runningVar }, { epsilon, training, momentum }) => {
    if (!training) {
      const y = ref.batchNorm(x!, gamma!, beta!, epsilon, { mean: runningMean!, variance: runningVar! });
      return { y, runningMean: runningMean!, runningVar: runningVar! };
    }
    const over = x!.shape.slice(0, -1).map((_, d) => d);
    const count = over.reduce((n, d) => n * x!.shape[d]!, 1);
    const mean = ref.reduce(x!, over, false, ref.fold.mean);
    const unbiased = ref.reduce(x!, over, false, (v) => (ref.fold.variance(v) * count) / (count - 1));
    const mix = (old: Nd, now: Nd) => ref.zip(old, now, (a, b) => (1 - momentum!) * a + momentum! * b);
    return {
      y: ref.batchNorm(x!, gamma!, beta!, epsilon),
      runningMean: mix(runningMean!, mean),
      runningVar: mix(runningVar!, unbiased),
    };
  },

  embedding: ({ table, ids }) => ref.gather(table!, [...ids!.data], ids!.shape),
  gather: ({ x, indices }, { axis }) => ref.gather(x!, [...indices!.data], indices!.shape, axis),
  stack: (inputs, { axis }) =>
    ref.concat(
      Object.values(inputs).map((x) => ref.reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)])),
      axis!,
    ),
  flip: ({ x }, { axes }) =>
    build(x!.shape, (index) => at(x!, ...index.map((i, d) => (axes?.includes(d) ? x!.shape[d]! - 1 - i : i)))),
  tile: ({ x }, { sizes }) =>
    build(
      x!.shape.map((dim, d) => dim * sizes![d]!),
      (index) => at(x!, ...index.map((i, d) => i % x!.shape[d]!)),
    ),
  concat: (inputs, { axis }) => ref.concat(Object.values(inputs), axis!),
  split: ({ x }, { axis, sizes }) => {
    const d = axis! < 0 ? axis! + x!.shape.length : axis!;
    let begin = 0;
    return Object.fromEntries(
      sizes!.map((length, i) => {
        const part = ref.slice(
          x!,
          x!.shape.map((_, e) => (e === d ? begin : 0)),
          x!.shape.map((dim, e) => (e === d ? length : dim)),
        );
        begin += length;
        return [`y${i}`, part];
      }),
    );
  },
  slice: ({ x }, { begin, size }) => ref.slice(x!, begin!, size!),
  pad: ({ x }, { paddings, value }) => ref.pad(x!, paddings!, value),
  transpose: ({ x }, { permutation }) => ref.transpose(x!, permutation!),
  reshape: ({ x }, { shape }) => ref.reshape(x!, shape!),
  broadcastTo: ({ x }, { shape }) => ref.broadcastTo(x!, shape!),
  cast: ({ x }, { dtype }) => ref.map(x!, dtype === 'i32' ? Math.trunc : (v) => v),
};

/** The outputs of an op by name; a single one is called y. */
export function referenceOutputs(op: string, inputs: Inputs, options: Options): Record<string, Nd> {
  const call = referenceCalls[op];
  if (!call) throw new Error(`no reference for ${op}`);
  const result = call(inputs, options);
  return isNd(result) ? { y: result } : result;
}

function isNd(value: Nd | Record<string, Nd>): value is Nd {
  return value.data instanceof Float64Array;
}
