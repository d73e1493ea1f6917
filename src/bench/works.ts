// What the benchmark measures, as plain data: ours and every peer's program work from these same objects (peers receive
// them as JSON), so that names, shapes and seeds cannot drift apart.

/** fwd: the op alone. fwdbwd: forward and the gradients of all inputs and weights, as training asks for them. */
export type Pass = 'fwd' | 'fwdbwd';

interface Named {
  /** Unique name, e.g. `sgemm_nn_512`. */
  readonly work: string;
  readonly group: 'sgemm' | 'conv' | 'memory' | 'optimizer' | 'train' | 'overhead';
  /** What a peer must match to count: a plain sentence for the table. */
  readonly label: string;
}

/** C[b] = op(A[b]) op(B[b]): op(A) [m, k], op(B) [k, n]; A is stored [k, m] with transA, B [n, k] with transB. */
export interface SgemmWork extends Named {
  readonly kind: 'sgemm';
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA: boolean;
  readonly transB: boolean;
}

/** Input [n, h, w, c], weights [size, size, c, oc] (depthwise: [size, size, c]), padding on all four sides. */
export interface ConvWork extends Named {
  readonly kind: 'conv2d' | 'depthwise_conv2d';
  readonly pass: Pass;
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  /** Output channels; c for depthwise. */
  readonly oc: number;
  readonly size: number;
  readonly stride: number;
  readonly pad: number;
}

export interface PoolWork extends Named {
  readonly kind: 'pool2d';
  readonly pass: Pass;
  readonly mode: 'max' | 'avg';
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly size: number;
  readonly stride: number;
}

/** batch_norm: training mode over [n, h, w, c], by channel. layer_norm: [rows, columns] over columns, with scale and shift. */
export interface NormWork extends Named {
  readonly kind: 'batch_norm' | 'layer_norm';
  readonly pass: Pass;
  readonly rows: number;
  readonly columns: number;
}

/** Mean cross-entropy of logits [rows, columns] with integer labels. */
export interface CrossEntropyWork extends Named {
  readonly kind: 'softmax_cross_entropy';
  readonly pass: Pass;
  readonly rows: number;
  readonly columns: number;
}

/** add: a + b. chain: relu(a * b + c), three calls. gelu, relu, tanh: of one tensor. n elements each. */
export interface ElementwiseWork extends Named {
  readonly kind: 'elementwise';
  readonly op: 'add' | 'chain' | 'relu' | 'gelu' | 'tanh';
  readonly n: number;
}

/**
 * One update of all parameters with momentum 0.9 (AdamW: betas 0.9, 0.999), weight decay 1e-4 and a moving average with
 * decay 0.999; ours also gives the update-to-weight ratios.
 */
export interface OptimizerWork extends Named {
  readonly kind: 'optimizer';
  readonly rule: 'sgd' | 'adamw';
  /** Shapes of the parameters: those of a ResNet-18, 11.15 million in 62 tensors. */
  readonly shapes: readonly (readonly number[])[];
}

/**
 * A whole training step, eager: forward, mean cross-entropy, backward, SGD with momentum 0.9, the loss read at the end of
 * each sample. cnn: conv 5x5 1->32, conv 5x5 32->64 (same padding, relu, max pool 2), dense 3136->256->10 on [batch, 28,
 * 28, 1]. mlp: dense 784->128->10 with relu.
 */
export interface TrainWork extends Named {
  readonly kind: 'train';
  readonly net: 'cnn' | 'mlp';
  readonly batch: number;
}

/** a + b of two tensors with one element, `times` times one after the other: what a call costs. */
export interface OverheadWork extends Named {
  readonly kind: 'overhead';
  readonly op: 'add1';
  readonly times: number;
}

export type Work =
  | SgemmWork
  | ConvWork
  | PoolWork
  | NormWork
  | CrossEntropyWork
  | ElementwiseWork
  | OptimizerWork
  | TrainWork
  | OverheadWork;

function sgemm(work: string, m: number, n: number, k: number, options: Partial<SgemmWork> = {}): SgemmWork {
  const { batch = 1, transA = false, transB = false } = options;
  const label = `${batch > 1 ? `${batch} x ` : ''}${m}x${n}x${k} ${transA ? 'T' : 'N'}${transB ? 'T' : 'N'}`;
  return { work, group: 'sgemm', label, kind: 'sgemm', batch, m, n, k, transA, transB };
}

const squaresOf = (...sizes: number[]): SgemmWork[] =>
  sizes.flatMap((n) => [
    sgemm(`sgemm_nn_${n}`, n, n, n),
    sgemm(`sgemm_nt_${n}`, n, n, n, { transB: true }),
    sgemm(`sgemm_tn_${n}`, n, n, n, { transA: true }),
  ]);

/** What a GPU needs to be full; a CPU is with much less, and would take seconds. */
export const largeWorks: readonly Work[] = squaresOf(4096, 8192);

const thin = [
  sgemm('sgemm_tall_60000x10x128', 60000, 10, 128),
  sgemm('sgemm_32x128x784', 32, 128, 784),
  sgemm('sgemm_1x1000x4096', 1, 1000, 4096),
  sgemm('sgemm_1x1000x4096_nt', 1, 1000, 4096, { transB: true }),
  sgemm('sgemm_wide_10x60000x128', 10, 60000, 128),
  sgemm('sgemm_128x256x3136', 128, 256, 3136),
  sgemm('sgemm_batch64_64', 64, 64, 64, { batch: 64 }),
];

type Sizes = Pick<ConvWork, 'n' | 'h' | 'w' | 'c' | 'oc' | 'size' | 'stride' | 'pad'>;

function convolution(name: string, kind: ConvWork['kind'], sizes: Sizes): ConvWork[] {
  const { n, h, w, c, oc, size, stride } = sizes;
  const label = `${size}x${size}${stride > 1 ? ` s${stride}` : ''} ${kind === 'conv2d' ? `${c}->${oc}` : `depthwise ${c}`} ${h}x${w} batch ${n}`;
  return (['fwd', 'fwdbwd'] as const).map((pass) => ({
    work: `${name}_${pass}`,
    group: 'conv',
    label: `${label} ${pass}`,
    kind,
    pass,
    ...sizes,
  }));
}

const convolutions = [
  ...convolution('conv3x3_c64_56', 'conv2d', { n: 8, h: 56, w: 56, c: 64, oc: 64, size: 3, stride: 1, pad: 1 }),
  ...convolution('conv3x3_c128_28_s2', 'conv2d', { n: 8, h: 28, w: 28, c: 128, oc: 256, size: 3, stride: 2, pad: 1 }),
  ...convolution('conv1x1_c256_14', 'conv2d', { n: 8, h: 14, w: 14, c: 256, oc: 1024, size: 1, stride: 1, pad: 0 }),
  ...convolution('conv7x7_c3_224_s2', 'conv2d', { n: 8, h: 224, w: 224, c: 3, oc: 64, size: 7, stride: 2, pad: 3 }),
  ...convolution('conv5x5_c1_28', 'conv2d', { n: 128, h: 28, w: 28, c: 1, oc: 32, size: 5, stride: 1, pad: 2 }),
  ...convolution('conv5x5_c32_14', 'conv2d', { n: 128, h: 14, w: 14, c: 32, oc: 64, size: 5, stride: 1, pad: 2 }),
  ...convolution('depthwise3x3_c144_56', 'depthwise_conv2d', {
    n: 8,
    h: 56,
    w: 56,
    c: 144,
    oc: 144,
    size: 3,
    stride: 1,
    pad: 1,
  }),
  ...convolution('depthwise3x3_c144_56_s2', 'depthwise_conv2d', {
    n: 8,
    h: 56,
    w: 56,
    c: 144,
    oc: 144,
    size: 3,
    stride: 2,
    pad: 1,
  }),
  ...convolution('depthwise3x3_c384_14', 'depthwise_conv2d', {
    n: 8,
    h: 14,
    w: 14,
    c: 384,
    oc: 384,
    size: 3,
    stride: 1,
    pad: 1,
  }),
  ...convolution('depthwise5x5_c144_28', 'depthwise_conv2d', {
    n: 8,
    h: 28,
    w: 28,
    c: 144,
    oc: 144,
    size: 5,
    stride: 1,
    pad: 2,
  }),
];

const passes = ['fwd', 'fwdbwd'] as const;

// All of these leave the caches: 8 to 100 MB an operand.
const memory: Work[] = [
  ...passes.flatMap((pass): Work[] => [
    ...(['max', 'avg'] as const).map((mode): PoolWork => {
      const sizes = { n: 32, h: 56, w: 56, c: 64, size: 2, stride: 2 };
      return {
        work: `${mode}pool2_c64_56_${pass}`,
        group: 'memory',
        label: `${mode} pool 2x2 [32,56,56,64] ${pass}`,
        kind: 'pool2d',
        pass,
        mode,
        ...sizes,
      };
    }),
    {
      work: `maxpool3_s2_c64_112_${pass}`,
      group: 'memory',
      label: `max pool 3x3 s2 [8,112,112,64] ${pass}`,
      kind: 'pool2d',
      pass,
      mode: 'max',
      n: 8,
      h: 112,
      w: 112,
      c: 64,
      size: 3,
      stride: 2,
    },
    {
      work: `batch_norm_c64_56_${pass}`,
      group: 'memory',
      label: `batch norm [32*56*56,64] ${pass}`,
      kind: 'batch_norm',
      pass,
      rows: 32 * 56 * 56,
      columns: 64,
    },
    {
      work: `layer_norm_8192x768_${pass}`,
      group: 'memory',
      label: `layer norm [8192,768] ${pass}`,
      kind: 'layer_norm',
      pass,
      rows: 8192,
      columns: 768,
    },
    {
      work: `softmax_ce_8192x1000_${pass}`,
      group: 'memory',
      label: `softmax cross-entropy [8192,1000] ${pass}`,
      kind: 'softmax_cross_entropy',
      pass,
      rows: 8192,
      columns: 1000,
    },
  ]),
  ...(['add', 'chain', 'relu', 'gelu', 'tanh'] as const).map(
    (op): ElementwiseWork => ({
      work: `elementwise_${op}_8m`,
      group: 'memory',
      label: `${op}, 8 Mi elements`,
      kind: 'elementwise',
      op,
      n: 8 << 20,
    }),
  ),
];

const repeat = (count: number, shape: readonly number[]): (readonly number[])[] =>
  Array.from({ length: count }, () => shape);
const resnet18 = [
  ...repeat(3, [3, 3, 512, 512]),
  ...repeat(3, [3, 3, 256, 256]),
  ...repeat(1, [3, 3, 256, 512]),
  ...repeat(3, [3, 3, 128, 128]),
  ...repeat(1, [512, 1000]),
  ...repeat(4, [3, 3, 64, 64]),
  ...repeat(47, [512]),
];

const optimizers = (['sgd', 'adamw'] as const).map(
  (rule): OptimizerWork => ({
    work: `${rule}_ema_11m`,
    group: 'optimizer',
    label: `${rule === 'sgd' ? 'SGD, momentum' : 'AdamW'}, weight decay, EMA, 11.15 M in 62 tensors`,
    kind: 'optimizer',
    rule,
    shapes: resnet18,
  }),
);

const training = (
  [
    ['cnn', 128],
    ['cnn', 16],
    ['mlp', 32],
    ['mlp', 1],
  ] as const
).map(
  ([net, batch]): TrainWork => ({
    work: `train_${net}_b${batch}`,
    group: 'train',
    label: `${net.toUpperCase()} training step, batch ${batch}`,
    kind: 'train',
    net,
    batch,
  }),
);

const overhead = [1, 100].map(
  (times): OverheadWork => ({
    work: times === 1 ? 'op_overhead_add1' : `op_overhead_add1_x${times}`,
    group: 'overhead',
    label: times === 1 ? 'one-element add, a call' : `${times} one-element adds, each of the one before`,
    kind: 'overhead',
    op: 'add1',
    times,
  }),
);

/** Everything `npm run bench` measures, in its order. */
export const works: readonly Work[] = [
  ...squaresOf(64, 128, 256, 512, 1024, 2048),
  ...thin,
  ...convolutions,
  ...memory,
  ...optimizers,
  ...training,
  ...overhead,
];
