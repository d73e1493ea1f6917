// The segment table is device data, which the op's check cannot see: a bad one must fail when the kernel runs, before
// anything is written, on every instruction set. What the check can see, it must refuse.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { adamParams } from '../../src/ops/adam/adam.js';
import { rmspropParams } from '../../src/ops/rmsprop/rmsprop.js';
import { sgdMomentumEmaParams } from '../../src/ops/sgd_momentum_ema/sgd_momentum_ema.js';
import { opInfo, raw } from '../support/raw.js';

const N = 40;
const device = raw.device();
const handles: number[] = [];

function buffer(bytes: number): number {
  const handle = raw.alloc(bytes);
  handles.push(handle);
  return handle;
}

after(() => {
  raw.setIsa(device.isa);
  for (const handle of handles) raw.free(handle);
});

const ops = [
  { params: sgdMomentumEmaParams, outputs: 4 },
  { params: adamParams, outputs: 6 },
  { params: rmspropParams, outputs: 6 },
];

const badTables: readonly (readonly [string, readonly (readonly [number, number])[]])[] = [
  ['an end past the arena', [[0, N + 1]]],
  ['a negative begin', [[-1, 4]]],
  ['an end before its begin', [[8, 4]]],
  [
    'segments that overlap',
    [
      [0, 20],
      [16, 32],
    ],
  ],
  [
    'segments out of order',
    [
      [20, 32],
      [0, 8],
    ],
  ],
  ['the smallest and largest begin and end', [[-(2 ** 31), 2 ** 31 - 1]]],
];

/** Runs an op on buffers of its own: gradients 1, everything else 2. Returns the parameters after it. */
function run(op: (typeof ops)[number], rows: readonly (readonly [number, number])[], alias = false): Float32Array {
  const grads = buffer(4 * N);
  raw.write(grads, 0, new Float32Array(N).fill(1));
  const table = new Int32Array(8 * rows.length);
  rows.forEach(([begin, end], i) => {
    table.set([begin, end], 8 * i);
    new Float32Array(table.buffer)[8 * i + 2] = 1;
  });
  const segments = buffer(table.byteLength);
  raw.write(segments, 0, table);
  const outputs = Array.from({ length: op.outputs }, () => buffer(4 * N));
  for (const output of outputs) raw.write(output, 0, new Float32Array(N).fill(2));
  if (alias) outputs[1] = outputs[0] ?? 0;
  const operands = Float64Array.from(
    [grads, segments, 0, ...outputs].flatMap((handle, i) => [handle, 0, i === 1 ? table.byteLength : 4 * N]),
  );
  const bytes = op.params.encode({ n: N, segments: rows.length, lr: 1, gradScale: 1, momentum: 0.5 });
  const [params = 0] = outputs;
  raw.run(opInfo(op.params.op).id, bytes, operands, 3, op.outputs);
  try {
    raw.wait();
  } catch (error) {
    const left = new Float32Array(raw.readSync(params, 0, 4 * N));
    assert.ok(left.every((value) => value === 2));
    throw error;
  }
  return new Float32Array(raw.readSync(params, 0, 4 * N));
}

for (const op of ops) {
  const name = op.params.op;

  test(`${name} refuses a bad segment table when it runs, and writes nothing`, () => {
    for (const isa of device.runnable) {
      raw.setIsa(isa);
      for (const [what, rows] of badTables) {
        assert.throws(
          () => run(op, rows),
          { code: 'E_RANGE', message: /expected segment \d to lie within/ },
          `${isa}: ${what}`,
        );
      }
    }
  });

  test(`${name} updates its segments and nothing else`, () => {
    for (const isa of device.runnable) {
      raw.setIsa(isa);
      const params = run(op, [
        [3, 3],
        [4, 17],
        [20, 33],
      ]);
      params.forEach((value, i) => {
        const inside = (i >= 4 && i < 17) || (i >= 20 && i < 33);
        assert.equal(value !== 2, inside, `${isa}: element ${i} is ${value}`);
      });
    }
  });

  test(`${name} refuses state that shares memory with the parameters`, () => {
    assert.throws(() => run(op, [[0, 8]], true), { code: 'E_ARGUMENT', message: /outputs 0 and 1 not to overlap/ });
  });
}

test('a momentum without its buffer is refused', () => {
  const grads = buffer(4 * N);
  const segments = buffer(32);
  const params = buffer(4 * N);
  const operands = Float64Array.of(grads, 0, 4 * N, segments, 0, 32, 0, 0, 0, params, 0, 4 * N);
  const bytes = sgdMomentumEmaParams.encode({ n: N, segments: 1, momentum: 0.5 });
  assert.throws(() => raw.run(opInfo('sgd_momentum_ema').id, bytes, operands, 3, 1), {
    code: 'E_ARGUMENT',
    message: /expected a momentum buffer for momentum 0.5/,
  });
});
