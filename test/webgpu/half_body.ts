// Operands stored as f16 on WebGPU, on the driver of this process; run by half.test.ts. Every op against the reference kernels on the
// widened values, then conversions of every f16 and training.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backendOf } from '../../src/backend/device.js';
import { capture, device, nn, ops, optim, tensor } from '../../src/index.js';
import { webGpuKernels } from '../../src/ops/webgpu.js';
import { narrow, widen } from '../../src/tensor/half.js';
import { scope } from '../../src/tensor/scope.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { sameBits } from '../capture/setup.js';
import { type OpCase, readCaseTables } from '../support/case_file.js';
import { viewAs } from '../support/compare.js';
import { type Placed, placeCase, runCase } from '../support/conformance.js';
import { asHalf, roundedToHalf } from '../support/half.js';
import { encodeParams, raw } from '../support/raw.js';

await device.request('webgpu', { allowSoftware: true });
const backend = backendOf('webgpu');
raw.setIsa('reference');

/** Why the adapter takes no f16 at all; null where it does. */
async function refusal(): Promise<unknown> {
  device.setDevice('webgpu');
  try {
    using x = tensor([1], [1], { dtype: 'f16' });
    using y = x.neg();
    assert.deepEqual(await y.data(), Float32Array.of(-1));
    return null;
  } catch (error) {
    return error;
  }
}

/** Ops that read f16, and write it, in ways of their own, and compile quickly. */
const usual = [
  'depthwise_conv2d',
  'max_pool2d',
  'unary',
  'binary',
  'cast',
  'fill',
  'reduce',
  'strided_copy',
  'softmax',
  'gather',
];

const BOUNDARY = 256;

/** The operands' bytes after the op, each within a buffer of its own, or all in one. */
async function run(
  info: ReturnType<typeof raw.ops>[number],
  one: OpCase,
  placed: readonly (Placed | null)[],
  half: number,
  together: boolean,
) {
  const lengths = placed.map((p) => Math.ceil((p?.image.length ?? 0) / BOUNDARY) * BOUNDARY);
  const starts = lengths.map((_, i) => (together ? lengths.slice(0, i).reduce((a, b) => a + b, 0) : 0));
  const shared = together ? backend.alloc(lengths.reduce((a, b) => a + b, BOUNDARY)) : 0;
  const handles = lengths.map((length) => (together ? shared : backend.alloc(Math.max(length, BOUNDARY))));
  try {
    const triples = placed.map((p, i) => {
      if (!p) return [0, 0, 0];
      const whole = new Uint8Array(lengths[i] ?? 0);
      whole.set(p.image);
      backend.write(handles[i] ?? 0, starts[i] ?? 0, whole);
      return [handles[i] ?? 0, (starts[i] ?? 0) + p.offset, p.bytes];
    });
    backend.block.operands.set(triples.flat());
    backend.block.params.u32.set(new Uint32Array(encodeParams(info, one.params).slice().buffer));
    backend.run(info.id, one.in.length, one.out.length, half);
    return await Promise.all(
      placed.map(
        async (p, i) => p && new Uint8Array(await backend.read(handles[i] ?? 0, starts[i] ?? 0, p.image.length)),
      ),
    );
  } finally {
    for (const handle of new Set(handles)) backend.free(handle);
  }
}

/** What is wrong with one case; null where the kernel wants f32 for where it makes its sums. */
async function check(info: ReturnType<typeof raw.ops>[number], one: OpCase, at: number): Promise<void> {
  const integers = at % 2 === 0;
  const given = placeCase(info, one, integers ? 'integers' : 'random', false);
  const kernel = webGpuKernels[info.name as keyof typeof webGpuKernels];
  const sums = new Set(kernel?.sums?.map((name) => one.in.length + (kernel.outputs.indexOf(name) ?? 0)));
  const isHalf = (i: number): boolean =>
    given[i]?.operand.dtype === 'f32' && !sums.has(i) && (integers || i % 2 === (at >> 1) % 2);
  const half = given.reduce((mask, _, i) => (isHalf(i) ? mask | (1 << i) : mask), 0);
  const stored = given.map((p, i) => (p && isHalf(i) ? asHalf(p, integers) : p));
  const widened = given.map((p, i) => (p && isHalf(i) ? roundedToHalf(p) : p));
  const expected = runCase(info, one, integers ? 'integers' : 'random', false, widened);
  const actual = await run(info, one, stored, half, !integers);
  stored.forEach((p, i) => {
    const [now, wide, then] = [actual[i], widened[i], expected.after[i]];
    if (!p || !now || !wide || !then || i < one.in.length) return;
    const what = `'${one.name}', mask ${half.toString(2)}, output ${i - one.in.length}`;
    const guards = [...p.image.keys()].filter((k) => k < p.offset || k >= p.offset + p.bytes);
    assert.ok(
      guards.every((k) => now[k] === p.image[k]),
      `${what}: wrote beside it`,
    );
    const reference = viewAs(p.operand.dtype, then.slice(wide.offset, wide.offset + wide.bytes));
    const bytes = now.slice(p.offset, p.offset + p.bytes);
    const values = isHalf(i) ? widen(new Uint16Array(bytes.buffer)) : viewAs(p.operand.dtype, bytes);
    const rounded = isHalf(i) ? widen(narrow(Float32Array.from(reference))) : reference;
    const exact = (integers && one.exact === true) || p.operand.dtype !== 'f32';
    const largest = [...reference].reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 1);
    values.forEach((v, k) => {
      const e = rounded[k] ?? Number.NaN;
      const near = Object.is(v + 0, e + 0) || (!exact && Math.abs(v - e) <= 2 ** -9 * Math.abs(e) + 2 ** -12 * largest);
      assert.ok(near, `${what}, item ${k}: ${v} where ${e} was expected`);
    });
  });
}

const refused = await refusal();

if (refused !== null) {
  test('an adapter that cannot store f16 says so', () => {
    assert.throws(
      () => {
        throw refused;
      },
      { code: 'E_DEVICE', message: /^unary: expected .* without the WebGPU feature shader-f16, received f16$/ },
    );
  });
} else {
  const tables = readCaseTables();
  // Of all ops only where it is asked for: shaders compile for minutes.
  const words = process.argv.slice(2);
  const wanted = (name: string): boolean => words.includes('all') || (words.length > 0 ? words : usual).includes(name);
  for (const info of raw.ops()) {
    if (!wanted(info.name)) continue;
    const cases = (tables.get(info.name)?.cases ?? []).filter((one) =>
      [...one.in, ...one.out].every((operand) => operand === null || (operand.n > 0 && operand.n <= 4096)),
    );
    test(`${info.name} on f16`, async () => {
      assert.ok(cases.length > 0);
      await Promise.all(cases.slice(0, words.length > 0 ? 4 : 2).map((one, at) => check(info, one, at)));
    });
  }

  test('every f16 is read and written as it is, and f32 is rounded to the nearest', async () => {
    device.setDevice('webgpu');
    const all = widen(Uint16Array.from({ length: 65536 }, (_, word) => word)).map((v) => (Number.isNaN(v) ? 0 : v));
    const steps = Float32Array.from(
      [...all].flatMap((v, i) => [v, (v + (all[i + 1] ?? 0)) / 2, v * (1 + 2 ** -20)]).filter(Number.isFinite),
    );
    const x = tensor(steps, [steps.length]);
    const h = x.cast('f16');
    const expected = widen(narrow(steps));
    // Halves at odd places too.
    const shifted = ops.neg(ops.neg(h.view([steps.length - 1], 1)));
    for (const [name, y, e] of [
      ['narrowed', h, expected],
      ['widened', h.cast('f32'), expected],
      ['shifted', shifted, expected.subarray(1)],
    ] as const) {
      const values = await y.data();
      values.forEach((v, i) => {
        if (v !== e[i]) assert.fail(`${name} ${i}: ${v} where ${e[i]} was expected, of ${steps[i]}`);
      });
    }
    const special = tensor([Infinity, -Infinity, 65519, 65520, -1e9, Number.NaN, -0]).cast('f16');
    assert.deepEqual([...(await special.data())], [Infinity, -Infinity, 65504, Infinity, -Infinity, Number.NaN, -0]);
  });

  const make = () => {
    const model = nn.sequential([
      nn.maxPool2d(2),
      nn.flatten(),
      nn.dense({ units: 16, activation: 'gelu' }),
      nn.dense({ units: 4 }),
    ]);
    model.build([10, 10, 1], 3);
    const optimizer = optim.create(optim.sgd({ lr: 0.1, momentum: 0.9 }), model.namedParameters());
    return ({ x, y }: { x: Tensor; y: Tensor }): Tensor => {
      const output = model.forward(x.cast('f16'), { training: true, seed: 0, step: 0 });
      assert.equal(output.dtype, 'f16');
      const loss = ops.softmaxCrossEntropy(output, y);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step(0);
      return loss;
    };
  };

  test('a captured step has the bits of the step op by op, and follows that of the CPU', async () => {
    const losses = async (name: 'cpu' | 'webgpu', captured: boolean): Promise<Float32Array> => {
      device.setDevice(name);
      const step = make();
      using replay = capture(step);
      const values: number[] = [];
      for (let i = 0; i < 5; i++) {
        const x = ops.normal([6, 10, 10, 1], { seed: i });
        const y = tensor(Int32Array.from([0, 1, 2, 3, 0, 1]));
        const loss = scope(() => (captured ? replay({ x, y }) : step({ x, y })));
        values.push(await loss.item());
      }
      return Float32Array.from(values);
    };
    const [eager, replayed, cpu] = [
      await losses('webgpu', false),
      await losses('webgpu', true),
      await losses('cpu', true),
    ];
    sameBits(replayed, eager, 'losses');
    eager.forEach((loss, i) => {
      assert.ok(Math.abs(loss - (cpu[i] ?? 0)) < 5e-3, `step ${i}: ${loss} and ${cpu[i]}`);
    });
  });
}
