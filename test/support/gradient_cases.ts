// Small calls of every differentiable op, at points where its derivatives exist.
import type { Options } from './fixtures.js';
import type { Domain } from './nd.js';

export interface GradientCase {
  readonly op: string;
  readonly inputs: Readonly<Record<string, readonly [shape: readonly number[], domain?: Domain]>>;
  /** Inputs that are integers below a limit and carry no gradient. */
  readonly integers?: Readonly<Record<string, readonly [shape: readonly number[], limit: number]>>;
  /** Inputs without gradient. */
  readonly constants?: readonly string[];
  readonly options?: Options;
}

const unary = (op: string, domain?: Domain, options: Options = {}): GradientCase => ({
  op,
  inputs: { x: [[3, 5], domain ?? 'anywhere'] },
  options,
});

const shapes: [a: number[], b: number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[], [4]],
  [
    [3, 1],
    [1, 3],
  ],
];
const binary = (op: string, domain: Domain = 'anywhere'): GradientCase[] =>
  shapes.map(([a, b]) => ({ op, inputs: { a: [a, domain], b: [b, domain] } }));

const reductions = (op: string, domain: Domain = 'anywhere'): GradientCase[] =>
  [
    { axes: null, keepDims: false },
    { axes: [0], keepDims: false },
    { axes: [1], keepDims: true },
    { axes: [0, 2], keepDims: false },
    { axes: [-1], keepDims: true },
  ].map((options) => ({ op, inputs: { x: [[2, 3, 4], domain] }, options }));

const conv = (
  x: readonly number[],
  w: readonly number[],
  bias: boolean,
  options: Options,
  op = 'conv2d',
): GradientCase => ({
  op,
  inputs: {
    x: [x],
    w: [w],
    ...(bias && { b: [[op === 'conv2d' ? w[3]! : w[2]! * w[3]!]] as const }),
  },
  options,
});

const pool = (op: string, x: readonly number[], size: [number, number], options: Options): GradientCase => ({
  op,
  inputs: { x: [x, 'distinct'] },
  options: { size, stride: size, ...options },
});

const pairs = (['mean', 'sum', 'none'] as const).flatMap((reduction): GradientCase[] => {
  const inputs = { prediction: [[3, 4], 'distinct'], target: [[3, 4]] } as const;
  return [
    { op: 'mse', inputs, options: { reduction } },
    { op: 'l1', inputs, options: { reduction }, constants: ['target'] },
    { op: 'huber', inputs, options: { reduction, delta: 0.7 }, constants: ['target'] },
    {
      op: 'bceWithLogits',
      inputs: { logits: [[3, 4]], target: [[3, 4], 'unit'] },
      options: { reduction },
      constants: ['target'],
    },
  ];
});

const crossEntropy = (['mean', 'sum', 'none'] as const).flatMap((reduction): GradientCase[] =>
  [0, 0.1].flatMap((labelSmoothing) =>
    [false, true].map((weighted) => ({
      op: 'softmaxCrossEntropy',
      inputs: { logits: [[4, 5]], ...(weighted && { weights: [[5], 'positive'] as const }) },
      integers: { labels: [[4], 5] },
      constants: ['weights'],
      options: { reduction, labelSmoothing },
    })),
  ),
);

export const gradientCases: readonly GradientCase[] = [
  ...([false, true] as const).flatMap((transposeA) =>
    ([false, true] as const).flatMap((transposeB): GradientCase[] => [
      {
        op: 'matmul',
        inputs: { a: [transposeA ? [4, 3] : [3, 4]], b: [transposeB ? [5, 4] : [4, 5]] },
        options: { transposeA, transposeB },
      },
      {
        op: 'matmul',
        inputs: { a: [transposeA ? [2, 4, 3] : [2, 3, 4]], b: [transposeB ? [2, 2, 4] : [2, 4, 2]] },
        options: { transposeA, transposeB },
      },
    ]),
  ),
  { op: 'matmul', inputs: { a: [[2, 3, 4]], b: [[4, 5]] } },
  ...(['none', 'relu', 'sigmoid', 'tanh'] as const).map(
    (activation): GradientCase => ({
      op: 'linear',
      inputs: { x: [[4, 3]], w: [[3, 5]], b: [[5]] },
      options: { activation },
    }),
  ),
  { op: 'linear', inputs: { x: [[2, 2, 3]], w: [[3, 2]] } },

  conv([2, 4, 5, 2], [3, 3, 2, 3], true, { padding: 'same' }),
  conv([1, 5, 4, 2], [3, 2, 2, 2], false, { padding: 'valid', activation: 'tanh' }),
  conv([1, 6, 5, 2], [3, 3, 2, 2], true, { stride: [2, 2], padding: 'same', activation: 'sigmoid' }),
  conv([1, 5, 5, 4], [3, 3, 2, 4], true, { padding: [1, 0, 2, 1], groups: 2 }),
  conv([2, 4, 5, 3], [2, 3, 1, 3], true, { stride: [1, 2], padding: 'same', groups: 3, activation: 'tanh' }),
  conv([1, 4, 4, 2], [3, 3, 1, 4], false, { padding: 'valid', groups: 2 }),
  conv([1, 7, 6, 2], [2, 2, 2, 2], false, { dilation: [2, 3], stride: [1, 2] }),
  conv([1, 6, 7, 2], [1, 1, 2, 3], false, { stride: [2, 3] }),
  conv([2, 4, 5, 3], [3, 3, 3, 1], true, { padding: 'same' }, 'depthwiseConv2d'),
  conv([1, 5, 5, 2], [3, 2, 2, 2], true, { stride: [2, 1], padding: 'valid' }, 'depthwiseConv2d'),
  conv([1, 6, 6, 2], [2, 2, 2, 1], false, { dilation: [2, 2], padding: 'same' }, 'depthwiseConv2d'),
  pool('maxPool2d', [2, 4, 6, 2], [2, 2], {}),
  pool('maxPool2d', [1, 5, 5, 2], [3, 3], { stride: [2, 2], padding: 'same' }),
  pool('avgPool2d', [2, 4, 6, 2], [2, 2], {}),
  pool('avgPool2d', [1, 5, 5, 2], [3, 3], { stride: [1, 2], padding: 'same', countIncludePad: false }),
  pool('avgPool2d', [1, 5, 5, 2], [3, 3], { stride: [2, 2], padding: 'same', countIncludePad: true }),
  { op: 'globalAvgPool2d', inputs: { x: [[2, 3, 4, 2]] } },
  { op: 'globalMaxPool2d', inputs: { x: [[2, 3, 4, 2], 'distinct'] } },

  ...['neg', 'exp', 'square', 'sin', 'cos', 'tanh', 'sigmoid', 'softplus', 'erf', 'gelu', 'geluTanh', 'silu'].map(
    (op) => unary(op),
  ),
  unary('expm1'),
  ...['log', 'log1p', 'sqrt', 'rsqrt', 'reciprocal'].map((op) => unary(op, 'positive')),
  ...['abs', 'relu'].map((op) => unary(op, 'off zero')),
  unary('leakyRelu', 'off zero', { slope: 0.1 }),
  unary('elu', 'off zero', { alpha: 0.8 }),
  unary('clip', 'distinct', { min: -0.5, max: 0.75 }),
  ...['add', 'sub', 'mul'].flatMap((op) => binary(op)),
  unary('affine', 'anywhere', { alpha: -1.5, value: 0.25 }),
  ...['div', 'pow', 'mod'].flatMap((op) => binary(op, 'positive')),
  ...['maximum', 'minimum', 'squaredDifference'].flatMap((op) => binary(op)),
  { op: 'where', inputs: { a: [[2, 3]], b: [[3]] }, integers: { condition: [[2, 3], 2] } },
  { op: 'where', inputs: { a: [[2, 1]], b: [[]] }, integers: { condition: [[3], 2] } },

  ...['sum', 'mean', 'variance', 'sumSquares', 'norm', 'logSumExp'].flatMap((op) => reductions(op)),
  ...['max', 'min'].flatMap((op) => reductions(op, 'distinct')),
  ...reductions('prod', 'off zero').slice(1),

  ...['softmax', 'logSoftmax'].flatMap((op): GradientCase[] => [
    { op, inputs: { x: [[3, 5]] }, options: { axis: -1 } },
    { op, inputs: { x: [[2, 3, 4]] }, options: { axis: 1 } },
  ]),
  ...crossEntropy,
  ...pairs,
  { op: 'layerNorm', inputs: { x: [[3, 5]], gamma: [[5]], beta: [[5]] }, options: { epsilon: 1e-3 } },
  { op: 'layerNorm', inputs: { x: [[2, 2, 6]], gamma: [[6]], beta: [[6]] }, options: { epsilon: 1e-5 } },
  ...([true, false] as const).map(
    (training): GradientCase => ({
      op: 'batchNorm',
      inputs: {
        x: [[2, 2, 3, 4]],
        gamma: [[4]],
        beta: [[4]],
        runningMean: [[4]],
        runningVar: [[4], 'positive'],
      },
      constants: ['runningMean', 'runningVar'],
      options: { training, momentum: 0.1, epsilon: 1e-3 },
    }),
  ),

  { op: 'embedding', inputs: { table: [[5, 3]] }, integers: { ids: [[2, 4], 5] } },
  { op: 'gather', inputs: { x: [[4, 3, 2]] }, integers: { indices: [[5], 4] }, options: { axis: 0 } },
  { op: 'gather', inputs: { x: [[2, 4, 3]] }, integers: { indices: [[3], 4] }, options: { axis: 1 } },
  { op: 'concat', inputs: { x0: [[2, 3]], x1: [[1, 3]], x2: [[3, 3]] }, options: { axis: 0 } },
  { op: 'concat', inputs: { x0: [[2, 2, 3]], x1: [[2, 2, 1]] }, options: { axis: -1 } },
  { op: 'stack', inputs: { x0: [[2, 3]], x1: [[2, 3]] }, options: { axis: 1 } },
  { op: 'flip', inputs: { x: [[2, 3, 4]] }, options: { axes: [0, 2] } },
  { op: 'tile', inputs: { x: [[2, 3]] }, options: { sizes: [3, 2] } },
  { op: 'split', inputs: { x: [[2, 6]] }, options: { axis: 1, sizes: [1, 2, 3] } },
  { op: 'slice', inputs: { x: [[4, 5]] }, options: { begin: [1, 2], size: [2, 3] } },
  {
    op: 'pad',
    inputs: { x: [[2, 3]] },
    options: {
      paddings: [
        [1, 0],
        [2, 1],
      ],
      value: 0.5,
    },
  },
  { op: 'transpose', inputs: { x: [[2, 3, 4]] }, options: { permutation: [2, 0, 1] } },
  { op: 'reshape', inputs: { x: [[2, 6]] }, options: { shape: [3, 4] } },
  { op: 'broadcastTo', inputs: { x: [[3, 1]] }, options: { shape: [2, 3, 4] } },
];
