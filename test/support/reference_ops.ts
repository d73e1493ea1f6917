// Every differentiable public op in plain loops over doubles: an oracle of its own for the forward pass, and what the
// finite differences of the gradient tests are taken of. Written from the ops' documentation, for clarity only.
import { at, broadcastAt, broadcastShape, build, type Nd, nd, ravel, size } from './nd.js';

export type Activation = 'none' | 'relu' | 'sigmoid' | 'tanh';

const sigmoidOf = (x: number): number => 1 / (1 + Math.exp(-x));
const activations: Record<Activation, (x: number) => number> = {
  none: (x) => x,
  relu: (x) => Math.max(x, 0),
  sigmoid: sigmoidOf,
  tanh: Math.tanh,
};

export function map(x: Nd, f: (value: number) => number): Nd {
  return build(x.shape, (_, i) => f(x.data[i]!));
}

export function zip(a: Nd, b: Nd, f: (a: number, b: number) => number): Nd {
  return build(broadcastShape(a.shape, b.shape), (index) => f(broadcastAt(a, index), broadcastAt(b, index)));
}

// ---- matmul ----

/** op(a) op(b) over the last two dimensions, leading ones equal or absent in b. */
export function matmul(a: Nd, b: Nd, transposeA = false, transposeB = false): Nd {
  const lead = a.shape.slice(0, -2);
  const [rowsA, colsA] = a.shape.slice(-2);
  const [rowsB, colsB] = b.shape.slice(-2);
  const m = (transposeA ? colsA : rowsA)!;
  const k = (transposeA ? rowsA : colsA)!;
  const n = (transposeB ? rowsB : colsB)!;
  return build([...lead, m, n], (index) => {
    const batch = index.slice(0, -2);
    const [i, j] = index.slice(-2);
    const batchB = b.shape.length === 2 ? [] : batch;
    let sum = 0;
    for (let l = 0; l < k; l++)
      sum +=
        at(a, ...batch, ...(transposeA ? [l, i!] : [i!, l])) * at(b, ...batchB, ...(transposeB ? [j!, l] : [l, j!]));
    return sum;
  });
}

/** activation(x w + b) over the last dimension of x. */
export function linear(x: Nd, w: Nd, b: Nd | null, activation: Activation = 'none'): Nd {
  const [inputs, outputs] = w.shape;
  return build([...x.shape.slice(0, -1), outputs!], (index) => {
    const row = index.slice(0, -1);
    const j = index.at(-1)!;
    let sum = b ? at(b, j) : 0;
    for (let l = 0; l < inputs!; l++) sum += at(x, ...row, l) * at(w, l, j);
    return activations[activation](sum);
  });
}

// ---- images, NHWC ----

export type Padding = 'valid' | 'same' | readonly [top: number, bottom: number, left: number, right: number];

export interface Window {
  readonly stride?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly padding?: Padding;
}

interface Axis {
  readonly out: number;
  readonly before: number;
}

function axis(
  length: number,
  kernel: number,
  stride: number,
  dilation: number,
  explicit: [number, number] | 'valid' | 'same',
): Axis {
  const reach = (kernel - 1) * dilation + 1;
  if (explicit === 'same') {
    const out = Math.ceil(length / stride);
    return { out, before: Math.floor(Math.max((out - 1) * stride + reach - length, 0) / 2) };
  }
  const [before, after] = explicit === 'valid' ? [0, 0] : explicit;
  return { out: Math.floor((length + before + after - reach) / stride) + 1, before };
}

function axes(x: Nd, kernel: readonly [number, number], window: Window): [Axis, Axis] {
  const { stride = [1, 1], dilation = [1, 1], padding = 'valid' } = window;
  const [vertical, horizontal]: ['valid' | 'same', 'valid' | 'same'] | [[number, number], [number, number]] =
    typeof padding === 'string'
      ? [padding, padding]
      : [
          [padding[0], padding[1]],
          [padding[2], padding[3]],
        ];
  return [
    axis(x.shape[1]!, kernel[0], stride[0], dilation[0], vertical),
    axis(x.shape[2]!, kernel[1], stride[1], dilation[1], horizontal),
  ];
}

/** Calls f(y, x, ky, kx) for each place of the image that a window at (oy, ox) covers. */
function covered(
  x: Nd,
  kernel: readonly [number, number],
  window: Window,
  [vertical, horizontal]: [Axis, Axis],
  oy: number,
  ox: number,
  f: (y: number, x: number, ky: number, kx: number) => void,
): void {
  const { stride = [1, 1], dilation = [1, 1] } = window;
  for (let ky = 0; ky < kernel[0]; ky++)
    for (let kx = 0; kx < kernel[1]; kx++) {
      const py = oy * stride[0] + ky * dilation[0] - vertical.before;
      const px = ox * stride[1] + kx * dilation[1] - horizontal.before;
      if (py >= 0 && py < x.shape[1]! && px >= 0 && px < x.shape[2]!) f(py, px, ky, kx);
    }
}

/** x [N,H,W,IC], w [KH,KW,IC/groups,OC], b [OC]. */
export function conv2d(x: Nd, w: Nd, b: Nd | null, window: Window, groups = 1, activation: Activation = 'none'): Nd {
  const [kh, kw, perGroup, oc] = w.shape as [number, number, number, number];
  const places = axes(x, [kh, kw], window);
  return build([x.shape[0]!, places[0].out, places[1].out, oc], (index) => {
    const [n, oy, ox, o] = index as [number, number, number, number];
    const first = Math.floor(o / (oc / groups)) * perGroup;
    let sum = b ? at(b, o) : 0;
    covered(x, [kh, kw], window, places, oy, ox, (py, px, ky, kx) => {
      for (let c = 0; c < perGroup; c++) sum += at(x, n, py, px, first + c) * at(w, ky, kx, c, o);
    });
    return activations[activation](sum);
  });
}

/** x [N,H,W,C], w [KH,KW,C,M], b [C M]; output channel c M + m reads input channel c. */
export function depthwiseConv2d(x: Nd, w: Nd, b: Nd | null, window: Window): Nd {
  const [kh, kw, c, m] = w.shape as [number, number, number, number];
  const places = axes(x, [kh, kw], window);
  return build([x.shape[0]!, places[0].out, places[1].out, c * m], (index) => {
    const [n, oy, ox, o] = index as [number, number, number, number];
    let sum = b ? at(b, o) : 0;
    covered(x, [kh, kw], window, places, oy, ox, (py, px, ky, kx) => {
      sum += at(x, n, py, px, Math.floor(o / m)) * at(w, ky, kx, Math.floor(o / m), o % m);
    });
    return sum;
  });
}

export function maxPool2d(x: Nd, kernel: readonly [number, number], window: Window): Nd {
  const places = axes(x, kernel, window);
  return build([x.shape[0]!, places[0].out, places[1].out, x.shape[3]!], (index) => {
    const [n, oy, ox, c] = index as [number, number, number, number];
    let best = Number.NEGATIVE_INFINITY;
    covered(x, kernel, window, places, oy, ox, (py, px) => {
      best = Math.max(best, at(x, n, py, px, c));
    });
    return best;
  });
}

export function avgPool2d(x: Nd, kernel: readonly [number, number], window: Window, countPadding = false): Nd {
  const places = axes(x, kernel, window);
  return build([x.shape[0]!, places[0].out, places[1].out, x.shape[3]!], (index) => {
    const [n, oy, ox, c] = index as [number, number, number, number];
    let sum = 0;
    let count = 0;
    covered(x, kernel, window, places, oy, ox, (py, px) => {
      sum += at(x, n, py, px, c);
      count++;
    });
    return sum / (countPadding ? kernel[0] * kernel[1] : count);
  });
}

// ---- reductions ----

/** Folds the elements along `over` (all of them when null) with f. */
export function reduce(x: Nd, over: readonly number[] | null, keepDims: boolean, f: (values: number[]) => number): Nd {
  const rank = x.shape.length;
  const gone = new Set((over ?? x.shape.map((_, d) => d)).map((d) => (d < 0 ? d + rank : d)));
  const kept = x.shape.map((dim, d) => (gone.has(d) ? 1 : dim));
  const groups: number[][] = Array.from({ length: size(kept) }, () => []);
  build(x.shape, (index, i) => {
    groups[
      ravel(
        index.map((v, d) => (gone.has(d) ? 0 : v)),
        kept,
      )
    ]!.push(x.data[i]!);
    return 0;
  });
  return nd(keepDims ? kept : x.shape.filter((_, d) => !gone.has(d)), groups.map(f));
}

export const fold = {
  sum: (v: number[]) => v.reduce((a, b) => a + b, 0),
  mean: (v: number[]) => v.reduce((a, b) => a + b, 0) / v.length,
  max: (v: number[]) => Math.max(...v),
  min: (v: number[]) => Math.min(...v),
  prod: (v: number[]) => v.reduce((a, b) => a * b, 1),
  variance: (v: number[]) => fold.mean(v.map((x) => (x - fold.mean(v)) ** 2)),
};

// ---- softmax and losses ----

export function logSoftmax(x: Nd, over = -1): Nd {
  const largest = reduce(x, [over], true, fold.max);
  const shifted = zip(x, largest, (a, b) => a - b);
  const total = reduce(map(shifted, Math.exp), [over], true, fold.sum);
  return zip(shifted, total, (a, b) => a - Math.log(b));
}

export function softmax(x: Nd, over = -1): Nd {
  return map(logSoftmax(x, over), Math.exp);
}

export type Reduction = 'mean' | 'sum' | 'none';

function reduced(losses: Nd, reduction: Reduction): Nd {
  return reduction === 'none' ? losses : reduce(losses, null, false, fold[reduction]);
}

/**
 * logits [N,C], labels [N]. Row i: (1 - s) w[y] (-log p[y]) + s / C sum_c w[c] (-log p[c]); `mean` divides the sum by
 * that of w[y], as PyTorch does.
 */
export function softmaxCrossEntropy(
  logits: Nd,
  labels: readonly number[],
  options: { smoothing?: number; weights?: readonly number[]; reduction?: Reduction } = {},
): Nd {
  const { smoothing = 0, weights, reduction = 'mean' } = options;
  const [rows, classes] = logits.shape as [number, number];
  const log = logSoftmax(logits);
  const weight = (c: number): number => weights?.[c] ?? 1;
  const losses = build([rows], ([i]) => {
    const label = labels[i!]!;
    let spread = 0;
    for (let c = 0; c < classes; c++) spread -= weight(c) * at(log, i!, c);
    return -(1 - smoothing) * weight(label) * at(log, i!, label) + (smoothing / classes) * spread;
  });
  if (reduction !== 'mean') return reduced(losses, reduction);
  return nd([], [fold.sum([...losses.data]) / fold.sum(labels.map(weight))]);
}

const pairLosses = {
  mse: (d: number) => d * d,
  l1: Math.abs,
};

export function pairLoss(kind: keyof typeof pairLosses, prediction: Nd, target: Nd, reduction: Reduction): Nd {
  return reduced(
    zip(prediction, target, (p, t) => pairLosses[kind](p - t)),
    reduction,
  );
}

export function huber(prediction: Nd, target: Nd, delta: number, reduction: Reduction): Nd {
  const loss = (d: number): number => (Math.abs(d) <= delta ? 0.5 * d * d : delta * (Math.abs(d) - 0.5 * delta));
  return reduced(
    zip(prediction, target, (p, t) => loss(p - t)),
    reduction,
  );
}

export function bceWithLogits(logits: Nd, target: Nd, reduction: Reduction): Nd {
  return reduced(
    zip(logits, target, (x, t) => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x)))),
    reduction,
  );
}

// ---- normalisation ----

/** Over the last dimension. */
export function layerNorm(x: Nd, gamma: Nd, beta: Nd, epsilon = 1e-5): Nd {
  const mean = reduce(x, [-1], true, fold.mean);
  const variance = reduce(x, [-1], true, fold.variance);
  const centred = zip(x, mean, (a, b) => a - b);
  const normal = zip(centred, variance, (a, v) => a / Math.sqrt(v + epsilon));
  return zip(
    zip(normal, gamma, (a, b) => a * b),
    beta,
    (a, b) => a + b,
  );
}

/** Over all but the last dimension; with `running`, by those statistics instead of the batch's. */
export function batchNorm(x: Nd, gamma: Nd, beta: Nd, epsilon = 1e-5, running?: { mean: Nd; variance: Nd }): Nd {
  const over = x.shape.slice(0, -1).map((_, d) => d);
  const mean = running?.mean ?? reduce(x, over, false, fold.mean);
  const variance = running?.variance ?? reduce(x, over, false, fold.variance);
  const centred = zip(x, mean, (a, b) => a - b);
  const normal = zip(centred, variance, (a, v) => a / Math.sqrt(v + epsilon));
  return zip(
    zip(normal, gamma, (a, b) => a * b),
    beta,
    (a, b) => a + b,
  );
}

// ---- indexing and layout ----

/** Rows of x along `over` picked by indices; the indices' shape takes the place of that dimension. */
export function gather(x: Nd, indices: readonly number[], indexShape: readonly number[], over = 0): Nd {
  const d = over < 0 ? over + x.shape.length : over;
  const shape = [...x.shape.slice(0, d), ...indexShape, ...x.shape.slice(d + 1)];
  return build(shape, (index) => {
    const which = indices[ravel(index.slice(d, d + indexShape.length), indexShape)]!;
    return at(x, ...index.slice(0, d), which, ...index.slice(d + indexShape.length));
  });
}

export function concat(parts: readonly Nd[], over: number): Nd {
  const d = over < 0 ? over + parts[0]!.shape.length : over;
  const total = parts.reduce((sum, part) => sum + part.shape[d]!, 0);
  return build(
    parts[0]!.shape.map((dim, i) => (i === d ? total : dim)),
    (index) => {
      let place = index[d]!;
      for (const part of parts) {
        if (place < part.shape[d]!) return at(part, ...index.slice(0, d), place, ...index.slice(d + 1));
        place -= part.shape[d]!;
      }
      return Number.NaN;
    },
  );
}

export function slice(x: Nd, begin: readonly number[], sizes: readonly number[]): Nd {
  return build(sizes, (index) => at(x, ...index.map((i, d) => i + begin[d]!)));
}

export function pad(x: Nd, paddings: readonly (readonly [number, number])[], value = 0): Nd {
  return build(
    x.shape.map((dim, d) => dim + paddings[d]![0] + paddings[d]![1]),
    (index) => {
      const from = index.map((i, d) => i - paddings[d]![0]);
      return from.every((i, d) => i >= 0 && i < x.shape[d]!) ? at(x, ...from) : value;
    },
  );
}

export function transpose(x: Nd, permutation: readonly number[]): Nd {
  return build(
    permutation.map((p) => x.shape[p]!),
    (index) => {
      const from = x.shape.map(() => 0);
      permutation.forEach((p, d) => {
        from[p] = index[d]!;
      });
      return at(x, ...from);
    },
  );
}

export function broadcastTo(x: Nd, shape: readonly number[]): Nd {
  return build(shape, (index) => broadcastAt(x, index));
}

export function reshape(x: Nd, shape: readonly number[]): Nd {
  return nd(shape, x.data);
}

// ---- elementwise ----

/** erf to about 1e-15: its series where that converges fast, else the continued fraction of erfc. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
      if (n > 200) break;
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

export const scalar = {
  sigmoid: sigmoidOf,
  softplus: (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  silu: (x: number) => x * sigmoidOf(x),
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  geluTanh: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  elu: (alpha: number) => (x: number) => (x > 0 ? x : alpha * Math.expm1(x)),
  leakyRelu: (slope: number) => (x: number) => (x > 0 ? x : slope * x),
};
