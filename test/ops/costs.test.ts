// The cost formulas: known calls by hand, and every case of every op within what its operands allow.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpName, opNames } from '../../src/backend/backend.js';
import { type OperandBytes, registry } from '../../src/ops/registry.js';
import { type CaseOperand, readCaseTables } from '../support/case_file.js';
import { encodeParams, opInfo } from '../support/raw.js';

const none: OperandBytes = { inputs: [], outputs: [] };

function costOf(op: OpName, params: Readonly<Record<string, number | readonly number[]>>, operands = none) {
  return registry[op].cost(encodeParams(opInfo(op), params), operands);
}

test('known calls', () => {
  // 2 * 3 * 4 * 5 operations; a 15, b 20 and c 12 floats.
  assert.deepEqual(costOf('sgemm', { batch: 1, m: 3, n: 4, k: 5, strideA: 15, strideB: 20 }), {
    flops: 120,
    bytes: 188,
  });
  // Two images 4x4x3, 3x3 windows, 8 outputs: 2*2*2 positions, windows of 27.
  const conv = { n: 2, h: 4, w: 4, c: 3, oh: 2, ow: 2, oc: 8, kh: 3, kw: 3, groups: 1 };
  assert.deepEqual(costOf('conv2d', conv), { flops: 2 * 64 * 27, bytes: 4 * (96 + 216 + 64) });
  // Weight, gradient, momentum and EMA of 100 parameters: 28 bytes each.
  const arena = { inputs: [400, 32, 0], outputs: [400, 400, 400, 8] };
  assert.equal(costOf('sgd_momentum_ema', { n: 100, segments: 1 }, arena).bytes, 2800);
  assert.equal(costOf('sgd_momentum_ema', { n: 100, segments: 1 }, { inputs: [400], outputs: [400] }).bytes, 1200);
  // u8 to f32.
  assert.deepEqual(costOf('cast', { from: 2, to: 0, count: 10 }), { flops: 20, bytes: 50 });
  assert.deepEqual(costOf('fill', { dtype: 2, count: 10 }), { flops: 0, bytes: 10 });
  assert.deepEqual(costOf('strided_copy', { dtype: 0, rank: 2, dims: [3, 5] }), { flops: 0, bytes: 120 });
  assert.deepEqual(costOf('reduce', { rank: 2, dims: [3, 5], axes: 1 }, { inputs: [60], outputs: [20] }), {
    flops: 15,
    bytes: 80,
  });
});

const bytesOf = (operand: CaseOperand | null): number => (operand ? operand.n * (operand.dtype === 'u8' ? 1 : 4) : 0);
const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

/** Normalisations read their input twice, and some outputs are read as well: no op moves an operand more often. */
const MOST_VISITS = 3;

for (const op of opNames) {
  test(`${op}: costs are finite and within the operands`, () => {
    const table = readCaseTables().get(op);
    assert.ok(table);
    for (const { name, params, in: inputs, out: outputs } of table.cases) {
      const operands = { inputs: inputs.map(bytesOf), outputs: outputs.map(bytesOf) };
      const { flops, bytes } = costOf(op, params, operands);
      assert.ok(Number.isSafeInteger(flops) && flops >= 0, `${name}: flops ${flops}`);
      assert.ok(Number.isSafeInteger(bytes) && bytes >= 0, `${name}: bytes ${bytes}`);
      const all = total(operands.inputs) + total(operands.outputs);
      if (all === 0) continue; // empty operands: the formula may count what is not there
      assert.ok(bytes <= MOST_VISITS * all + 64, `${name}: ${bytes} bytes for operands of ${all}`);
    }
  });
}
