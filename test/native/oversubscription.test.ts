// Results do not depend on the number of threads where there are many more of them than cores, and helpers are taken off
// their core in the middle of a task: large calls, cut differently by each number of threads, give the bits of one.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { CaseOperand, OpCase } from '../support/case_file.js';
import { differentBits, runCase } from '../support/conformance.js';
import { opInfo, raw } from '../support/raw.js';

const threadCounts = [16, 64];
const device = raw.device();
after(() => {
  raw.setIsa(device.isa);
  raw.setThreads(device.threads);
});

const f32 = (n: number): CaseOperand => ({ n, dtype: 'f32', fill: 'uniform' });
const inout = (n: number): CaseOperand => ({ n, dtype: 'f32', fill: 'positive', inout: true });

interface Call extends OpCase {
  readonly op: string;
}

function call(
  op: string,
  name: string,
  params: OpCase['params'],
  ...[inputs, outputs]: (CaseOperand | null)[][]
): Call {
  return { op, name, params, in: inputs ?? [], out: outputs ?? [], exact: false };
}

function product(m: number, n: number, k: number, more: Record<string, number> = {}): Call {
  const batch = more.batch ?? 1;
  const name = `${batch}x${m}x${n}x${k} ${Object.keys(more)}`;
  const operands = [f32(batch * m * k), f32(batch * k * n), null];
  return call('sgemm', name, { batch, m, n, k, ...more }, operands, [f32(batch * m * n)]);
}

/** A convolution and both of its gradients, "same" padding. */
function convolutions(
  n: number,
  h: number,
  c: number,
  oc: number,
  kernel: number,
  stride: number,
  groups: number,
): Call[] {
  const o = Math.ceil(h / stride);
  const [pad, x, y, w] = [(kernel - 1) >> 1, n * h * h * c, n * o * o * oc, (kernel * kernel * c * oc) / groups];
  const name = `${kernel}x${kernel}/${stride}, ${c} to ${oc}, ${groups} groups`;
  const params = {
    ...{ n, h, w: h, c, oh: o, ow: o, oc, kh: kernel, kw: kernel, strideH: stride, strideW: stride },
    ...{ dilationH: 1, dilationW: 1, padTop: pad, padLeft: pad, groups },
  };
  return [
    call('conv2d', name, params, [f32(x), f32(w), f32(oc)], [f32(y)]),
    call('conv2d_backward_data', name, params, [f32(y), f32(w)], [f32(x)]),
    call('conv2d_backward_weight', name, params, [f32(x), f32(y)], [f32(w), f32(oc)]),
  ];
}

const reduction = (code: number, dims: readonly [number, number], axes: number): Call => {
  const kept = dims.reduce((items, dim, d) => ((axes >> d) & 1 ? items : items * dim), 1);
  const params = { code, dtype: 0, rank: 2, dims, axes };
  return call('reduce', `code ${code} of ${dims}, axes ${axes}`, params, [f32(dims[0] * dims[1])], [f32(kept)]);
};

const elements = 300_007;
const [one, quarter] = [0x3f800000, 0x3e800000]; // as bits of f32: each segment's learning rate scale and weight decay
const segments: CaseOperand = {
  n: 16,
  dtype: 'i32',
  fill: [0, 100_003, one, quarter, 0, 0, 0, 0, 100_016, elements, one, quarter, 0, 0, 0, 0],
};
const update = { n: elements, segments: 2, lr: 0.125, emaRate: 0.25, gradScale: 0.5 };

const calls: readonly Call[] = [
  product(257, 259, 263), // one fork
  product(3, 1000, 1009), // few rows
  product(67, 65, 4001, { transA: 1 }),
  product(100, 90, 80, { batch: 37, transB: 1 }),
  ...convolutions(2, 30, 32, 64, 3, 1, 1),
  ...convolutions(3, 29, 8, 20, 5, 2, 1),
  ...convolutions(2, 23, 12, 18, 3, 1, 2),
  reduction(0, [1, 1_000_003], 2),
  reduction(0, [3001, 301], 1),
  reduction(7, [3001, 301], 2),
  call(
    'batch_norm',
    'training',
    { rows: 5000, channels: 61, training: 1, eps: 1e-5, momentum: 0.1 },
    [f32(305_000), f32(61), f32(61)],
    [f32(305_000), f32(61), f32(61), inout(61), inout(61)],
  ),
  call(
    'sgd_momentum_ema',
    'with statistics',
    { ...update, momentum: 0.5 },
    [f32(elements), segments],
    [inout(elements), inout(elements), inout(elements), f32(4)],
  ),
  call(
    'adam',
    'with statistics',
    {
      ...update,
      beta1: 0.5,
      beta1Rate: 0.5,
      beta2: 0.75,
      beta2Rate: 0.25,
      eps: 1e-3,
      correction1: 0.75,
      correction2: 0.75,
    },
    [f32(elements), segments],
    [inout(elements), inout(elements), inout(elements), null, inout(elements), f32(4)],
  ),
];

// Blocks of B that all threads share, at 16 threads: more work for each than one fork is for (kForkWork). At 64 that
// takes four times as much, for which only the fastest instruction set is given the time.
const shared = product(1100, 1090, 1080);
const sharedBy64 = product(1730, 1728, 1720);

for (const isa of device.runnable.filter((name) => name !== 'reference')) {
  test(`16 and 64 threads give the bits of one on ${isa}`, () => {
    raw.setIsa(isa);
    const mine = [...calls, shared, ...(isa === device.isa ? [sharedBy64] : [])];
    raw.setThreads(1);
    const expected = mine.map((one) => runCase(opInfo(one.op), one, 'random', false));
    const found: string[] = [];
    for (const threads of threadCounts) {
      raw.setThreads(threads);
      mine.forEach((one, i) => {
        const ran = runCase(opInfo(one.op), one, 'random', false);
        for (const line of differentBits(ran, expected[i]!, one))
          found.push(`${one.op} '${one.name}' at ${threads} threads: ${line}`);
      });
    }
    assert.deepEqual(found, []);
  });
}
