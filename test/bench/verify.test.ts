// What the benchmark verifies before it times: that it finds planted errors, everywhere a kernel can make them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpName, opNames } from '../../src/backend/backend.js';
import { backendOf, cpuInfo } from '../../src/backend/device.js';
import { bounds, sizesOf, withChanges } from '../../src/bench/bounds.js';
import { loadBenchmark } from '../../src/bench/calls.js';
import { capture, costOf, type OpCall, type OperandRef } from '../../src/bench/capture.js';
import { partsOf, spread, take } from '../../src/bench/parts.js';
import { problemOf } from '../../src/bench/problem.js';
import { runBench } from '../../src/bench/run.js';
import { findError, type HostOperands, referenceOf, verifyCall } from '../../src/bench/verify.js';
import { type ConvWork, type SgemmWork, type Work, works } from '../../src/bench/works.js';
import { bench } from '../../src/cli/bench.js';
import { AnnealError } from '../../src/errors.js';
import { readCaseTables } from '../support/case_file.js';

const backend = backendOf('cpu');

const sgemm = (m: number, n: number, k: number, more: Partial<SgemmWork> = {}): SgemmWork => ({
  ...{ work: 'product', group: 'sgemm', label: '', kind: 'sgemm', batch: 1, m, n, k, transA: false, transB: false },
  ...more,
});

const conv = (more: Partial<ConvWork> = {}): ConvWork => ({
  ...{ work: 'conv', group: 'conv', label: '', kind: 'conv2d', pass: 'fwdbwd' },
  ...{ n: 3, h: 9, w: 8, c: 5, oc: 7, size: 3, stride: 2, pad: 1 },
  ...more,
});

/** One small work of every kind that `works` has. */
const small: Work[] = [
  sgemm(33, 17, 65),
  sgemm(16, 24, 8, { batch: 3, transB: true }),
  conv(),
  conv({ kind: 'depthwise_conv2d', c: 6, oc: 6 }),
  ...(['max', 'avg'] as const).map(
    (mode): Work => ({
      ...{ work: 'pool', group: 'memory', label: '', kind: 'pool2d', pass: 'fwdbwd', mode },
      ...{ n: 2, h: 8, w: 8, c: 5, size: 2, stride: 2 },
    }),
  ),
  ...(['batch_norm', 'layer_norm', 'softmax_cross_entropy'] as const).map(
    (kind): Work => ({ work: kind, group: 'memory', label: '', kind, pass: 'fwdbwd', rows: 40, columns: 12 }),
  ),
  ...(['add', 'chain', 'relu', 'gelu', 'tanh'] as const).map(
    (op): Work => ({ work: op, group: 'memory', label: '', kind: 'elementwise', op, n: 1000 }),
  ),
  ...(['sgd', 'adamw'] as const).map(
    (rule): Work => ({ work: rule, group: 'optimizer', label: '', kind: 'optimizer', rule, shapes: [[30, 7], [7]] }),
  ),
  { work: 'mlp', group: 'train', label: '', kind: 'train', net: 'mlp', batch: 2 },
  { work: 'add1', group: 'overhead', label: '', kind: 'overhead', op: 'add1', times: 1 },
];

/** Runs a work once and hands over the ops it enqueued. */
async function withCalls(work: Work, fn: (calls: readonly OpCall[]) => Promise<void>): Promise<void> {
  using problem = problemOf(work, 1);
  using captured = capture(backend, () => problem.call());
  await backend.sync();
  await fn(captured.calls);
}

const read = async (refs: readonly (OperandRef | null)[]): Promise<(Uint32Array | null)[]> =>
  Promise.all(
    refs.map(async (ref) => ref && new Uint32Array(await backend.read(ref.handle, ref.byteOffset, ref.bytes))),
  );

test('every kind of work is captured, costs something and is right', async () => {
  assert.deepEqual(
    [...new Set(works.map(({ kind }) => kind))].sort(),
    [...new Set(small.map(({ kind }) => kind))].sort(),
  );
  for (const work of small) {
    await withCalls(work, async (calls) => {
      assert.ok(calls.length > 0, work.work);
      assert.ok(calls.reduce((sum, call) => sum + costOf(call).bytes, 0) > 0, work.work);
      for (const call of calls) assert.equal(await verifyCall(backend, call), null, work.work);
    });
  }
});

test('a training step and a backward pass are made of the kernels that autograd runs', async () => {
  const opsOf = async (work: Work): Promise<OpName[]> => {
    let names: OpName[] = [];
    await withCalls(work, async (calls) => {
      names = calls.map(({ op }) => op);
    });
    return names;
  };
  assert.deepEqual((await opsOf(conv())).sort(), ['conv2d', 'conv2d_backward_data', 'conv2d_backward_weight']);
  assert.deepEqual(await opsOf(conv({ pass: 'fwd' })), ['conv2d']);
  assert.deepEqual(await opsOf(sgemm(4, 4, 4)), ['sgemm']);
  const step = await opsOf({ work: 'mlp', group: 'train', label: '', kind: 'train', net: 'mlp', batch: 2 });
  for (const op of ['sgemm', 'softmax_cross_entropy', 'softmax_cross_entropy_backward', 'sgd_momentum_ema'] as const)
    assert.ok(step.includes(op), op);
});

test('a capture keeps the buffers that its calls freed, and gives them back', async () => {
  const before = backend.memory().liveBuffers;
  await withCalls(
    { work: 'chain', group: 'memory', label: '', kind: 'elementwise', op: 'chain', n: 64 },
    async (calls) => {
      assert.equal(calls.length, 3);
      const handles = calls.flatMap(({ outputs }) => outputs.map((ref) => ref?.handle));
      assert.equal(new Set(handles).size, 3, 'no two results share a buffer');
    },
  );
  assert.equal(backend.memory().liveBuffers, before);
});

/** The outputs of a call with one element changed. */
function planted(outputs: HostOperands, output: number, change: (x: number) => number): HostOperands {
  return outputs.map((items, i) => {
    if (i !== output || items === null) return items;
    const copy = items.slice();
    const values = new Float32Array(copy.buffer);
    const at = values.length - 1;
    values[at] = change(values[at] ?? Number.NaN);
    return copy;
  });
}

const errors: readonly [string, (x: number) => number][] = [
  ['a value off by a thousandth', (x) => x + 1e-3 * (Math.abs(x) + 1)],
  ['NaN', () => Number.NaN],
  ['an infinity', () => Number.POSITIVE_INFINITY],
  ['nothing written', () => 0],
];

for (const [name, change] of errors) {
  test(`a planted error is found in every output: ${name}`, async () => {
    for (const work of [sgemm(9, 7, 11), conv(), small[6] ?? conv(), small.at(-3) ?? conv()]) {
      await withCalls(work, async (calls) => {
        for (const call of calls) {
          const ins = await read(call.inputs);
          const before = await read(call.outputs);
          const right = await referenceOf(call.op, call.params, ins, before);
          assert.equal(await findError(call, ins, before, right), null);
          for (const [o, items] of right.entries()) {
            if (items === null) continue;
            const wrong = planted(right, o, change);
            if (wrong[o]?.every((bits, i) => bits === items[i])) continue; // it was that before
            assert.match((await findError(call, ins, before, wrong)) ?? 'nothing', /^\w+: 1 of \d+ elements/);
          }
        }
      });
    }
  });
}

test('parts of a large call: the reference gives for each what it gives for the whole', async () => {
  const large: Work[] = [
    sgemm(13, 11, 17),
    sgemm(13, 11, 17, { transA: true }),
    sgemm(13, 11, 17, { transB: true }),
    conv({ n: 4, c: 9, oc: 10 }),
  ];
  for (const work of large) {
    await withCalls(work, async (calls) => {
      for (const { op, params, inputs, outputs } of calls) {
        const ins = await read(inputs);
        const before = await read(outputs);
        const all = await referenceOf(op, params, ins, before);
        const parts = partsOf(op, sizesOf(op, params), { budget: 2000, large: 0 });
        assert.equal(parts.length, 2, op);
        for (const { name, changes, inputs: inCuts, outputs: outCuts } of parts) {
          const cut = (list: HostOperands, slices: typeof inCuts): HostOperands =>
            list.map((items, i) => items && take(items, slices[i] ?? []));
          const changed = withChanges(op, params, changes);
          const part = await referenceOf(op, changed, cut(ins, inCuts), cut(before, outCuts));
          assert.deepEqual(part, cut(all, outCuts), `${op}, ${name}`);
          assert.ok((part[0]?.length ?? 0) < (all[0]?.length ?? 0), `${op}, ${name}: less than the whole`);
        }
      }
    });
  }
});

test('parts are taken of what the reference would be long at, and meet both ends', () => {
  assert.deepEqual(spread(10, 4), [0, 3, 6, 9]);
  assert.deepEqual(spread(3, 4), [0, 1, 2]);
  assert.deepEqual(spread(5, 1), [4]);
  const sizes = (n: number) => ({ batch: 1, m: n, n, k: n });
  assert.equal(partsOf('sgemm', sizes(128)).length, 0);
  assert.equal(partsOf('sgemm', sizes(2048)).length, 2);
  assert.equal(partsOf('unary', { count: 1e9 }).length, 0);
});

test('slices along any axis', () => {
  const items = Uint32Array.from({ length: 24 }, (_, i) => i); // [2, 3, 4]
  const slice = (axis: number, ...indices: number[]) => [...take(items, [{ shape: [2, 3, 4], axis, indices }])];
  assert.deepEqual(slice(0, 1), [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
  assert.deepEqual(slice(1, 0, 2), [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23]);
  assert.deepEqual(slice(2, 3), [3, 7, 11, 15, 19, 23]);
  assert.deepEqual([...take(items, [])], [...items]);
});

test('the bounds are those of the conformance suite', () => {
  const tables = readCaseTables();
  for (const [op, bound] of Object.entries(bounds)) assert.deepEqual(bound, tables.get(op)?.bound, op);
});

const relu: Work = { work: 'relu', group: 'memory', label: '', kind: 'elementwise', op: 'relu', n: 1000 };

/** Runs `fn` while each unary op but the reference's leaves a NaN in its result. */
async function withWrongUnary<T>(fn: () => Promise<T>): Promise<T> {
  const { run } = backend;
  backend.run = (id, nIn, nOut) => {
    run(id, nIn, nOut);
    if (opNames[id] !== 'unary' || cpuInfo().isa === 'reference') return;
    const [handle = 0, offset = 0] = backend.block.operands.subarray(3 * nIn, 3 * nIn + 2);
    backend.write(handle, offset + 4 * 17, Float32Array.of(Number.NaN));
  };
  try {
    return await fn();
  } finally {
    backend.run = run;
  }
}

test('a kernel that is wrong fails the run, and is not timed', async () => {
  const { failures, results } = await withWrongUnary(() =>
    runBench({ works: [relu, { ...relu, work: 'add', op: 'add' }], budgetMs: 1 }),
  );
  assert.equal(failures?.length, 1);
  assert.match(failures?.[0] ?? '', /^relu: unary: 1 of 1000 elements .*worst at 17: .*received NaN/);
  assert.deepEqual([...new Set(results.map(({ work }) => work))], ['add']);
});

test('the command fails with it', async () => {
  const said: string[] = [];
  const { log, error } = console;
  console.log = (): void => undefined;
  console.error = (line: string): number => said.push(line);
  try {
    const options = {
      only: '^elementwise_relu_8m$',
      device: 'cpu',
      allowSoftware: false,
      full: false,
      seed: 1,
      budget: 1,
    } as const;
    assert.equal(await withWrongUnary(() => bench(options)), 1);
  } finally {
    Object.assign(console, { log, error });
  }
  assert.match(said.at(-1) ?? '', /^FAILED elementwise_relu_8m: unary: 1 of 8388608 elements/);
});

test('peers stand beside warm rows on all threads; absent ones are asked once and named', async () => {
  const asked: string[] = [];
  const figures = { msMedian: 4, msMin: 3, msMax: 5, samples: 7, note: 'nhwc' };
  const { machine, results } = await runBench({
    works: [relu, { ...relu, work: 'tanh', op: 'tanh' }, { ...sgemm(8, 8, 8), work: 'small' }],
    budgetMs: 1,
    threads: 2,
    peers: ['openblas', 'pytorch'],
    async runPeer(peer, some, { threads, seed, onResult }) {
      asked.push(`${peer} ${some.map(({ work }) => work)} ${threads} ${seed}`);
      if (peer === 'openblas') return { peer, missing: 'no library' };
      const result = (work: string) => (work === 'tanh' ? { skip: 'cannot' } : figures);
      for (const { work } of some) onResult?.(work, result(work));
      const found = new Map(some.map(({ work }) => [work, result(work)]));
      return { peer, version: '1.2', detail: 'two layouts', results: found };
    },
  });
  assert.deepEqual(asked, ['openblas relu,tanh 2 1', 'pytorch relu,tanh 2 1', 'pytorch small 2 1']);
  assert.deepEqual(machine.peers, { openblas: 'not measured: no library', pytorch: '1.2, two layouts' });
  for (const { work, cache, msMedian, peers } of results) {
    const beside = work !== 'tanh' && cache === 'warm';
    assert.deepEqual(peers, beside ? { pytorch: { ...figures, ratio: 4 / msMedian } } : {}, `${work} ${cache}`);
  }
});

test('without the package that times calls, the error tells how to get it', async () => {
  const absent = () => Promise.reject(new Error('no such package'));
  await assert.rejects(loadBenchmark(absent), (error) => {
    return error instanceof AnnealError && error.code === 'E_IO' && /npm install benchmark/.test(error.message);
  });
});
