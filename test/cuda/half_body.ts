// Operands stored as f16 on a CUDA device, on the driver of this process: run by backend.test.ts on the emulated driver, by
// scripts/test-gpu.mjs on a GPU. Conversions of every f16 and every op against the device's own f32, then training.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { device, nn, optim, train } from '../../src/index.js';
import { sameBits } from '../capture/setup.js';
import { blobs } from '../support/blobs.js';
import { readCaseTables } from '../support/case_file.js';
import { flopsOf } from '../support/conformance.js';
import { castBits, convertsAsTheHost, sameAsWidened } from '../support/half_ops.js';
import { raw } from '../support/raw.js';

const cuda = raw.openCuda(0);
const tables = readCaseTables();
/** Elements and flops of a case beyond which it only takes time where a CPU plays the GPU. */
const [LARGEST, MOST_FLOPS] = cuda.about.emulated ? [1 << 12, 2e5] : [1 << 16, 1e9];

test('every f16 is widened, and every f32 narrowed, as the host does it', () => convertsAsTheHost(cuda));

for (const info of raw.ops()) {
  const cases = (tables.get(info.name)?.cases ?? []).filter(
    (one) =>
      [...one.in, ...one.out].every((operand) => (operand?.n ?? 0) <= LARGEST) && flopsOf(info, one) <= MOST_FLOPS,
  );
  test(`${info.name} on f16 gives what it gives on f32, rounded once`, () => {
    assert.ok(cases.length > 0);
    cases.slice(0, 6).forEach((one, c) => {
      sameAsWidened(cuda, info, one, c);
    });
  });
}

test('without memory to widen into an op fails with E_OOM, and the next one works', () => {
  const ones = new Uint8Array(Uint16Array.of(0x3c00, 0x4000).buffer);
  cuda.failScratch(1, 1);
  assert.throws(() => castBits(cuda, ones, 2, 1), { code: 'E_OOM', message: /cast: / });
  cuda.failScratch(0, 0);
  assert.deepEqual([...new Float32Array(castBits(cuda, ones, 2, 1).slice().buffer)], [1, 2]);
});

async function losses(on: 'cpu' | 'cuda', capture: boolean): Promise<Float32Array> {
  device.setDevice(on);
  const model = nn.sequential([
    nn.dense({ units: 16, activation: 'gelu' }),
    nn.dropout(0.1),
    nn.layerNorm(),
    nn.dense({ units: 3 }),
  ]);
  const found: number[] = [];
  const data = blobs(64, 1).batch(8);
  const optimizer = optim.sgd({ lr: 0.1, momentum: 0.9 });
  await using run = train.fit(model, { data, epochs: 2, optimizer, seed: 1, capture, precision: 'f16' });
  for await (const event of run) {
    assert.notEqual(event.type, 'warning', JSON.stringify(event));
    if (event.type === 'step') found.push(event.metrics.loss ?? Number.NaN);
  }
  return Float32Array.from(found);
}

test('training in f16: captured as op by op, and as on the CPU', async () => {
  await device.request('cuda');
  const [eager, captured, cpu] = [await losses('cuda', false), await losses('cuda', true), await losses('cpu', true)];
  sameBits(captured, eager, 'losses');
  assert.equal(eager.length, 16);
  eager.forEach((loss, i) => {
    assert.ok(Math.abs(loss - (cpu[i] ?? 0)) < 5e-3, `step ${i}: ${loss} and ${cpu[i]}`);
  });
  assert.ok((eager.at(-1) ?? 1) < 0.5 * (eager[0] ?? 0), String(eager));
});
