// Initialisers: their statistics on many draws, their streams, and the values of the exact ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from '../../src/nn/index.js';
import type { Initializer } from '../../src/nn/init.js';
import { liveTensors, tensor } from '../../src/tensor/tensor.js';
import { refuses } from '../support/refuses.js';

const { init } = nn;
/** 300 x 200 = 60,000 draws. */
const shape = [300, 200];
const fans = { fanIn: 300, fanOut: 200 };
const count = 60_000;

function draw(initializer: Initializer, seed = 11, of: readonly number[] = shape): Float32Array {
  using value = initializer(of, fans, seed) as ReturnType<Initializer> & Disposable;
  assert.deepEqual(value.shape, of);
  return value.dataSync();
}

function statistics(values: Float32Array): { mean: number; std: number; min: number; max: number; kurtosis: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const moment = (power: number): number => values.reduce((sum, v) => sum + (v - mean) ** power, 0) / values.length;
  const variance = moment(2);
  return {
    mean,
    std: Math.sqrt(variance),
    min: values.reduce((a, b) => Math.min(a, b)),
    max: values.reduce((a, b) => Math.max(a, b)),
    kurtosis: moment(4) / variance ** 2,
  };
}

interface Distribution {
  readonly initializer: Initializer;
  readonly std: number;
  readonly mean?: number;
  readonly kind: 'normal' | 'uniform' | 'truncated';
}

/** Std of N(0, 1) cut at two: sqrt(1 - 2 (2 phi(2)) / (2 Phi(2) - 1)). */
const CUT = 0.87962566;

const distributions: Record<string, Distribution> = {
  heNormal: { initializer: init.heNormal(), std: Math.sqrt(2 / 300), kind: 'normal' },
  heUniform: { initializer: init.heUniform(), std: Math.sqrt(2 / 300), kind: 'uniform' },
  glorotNormal: { initializer: init.glorotNormal(), std: Math.sqrt(2 / 500), kind: 'normal' },
  glorotUniform: { initializer: init.glorotUniform(), std: Math.sqrt(2 / 500), kind: 'uniform' },
  lecunNormal: { initializer: init.lecunNormal(), std: Math.sqrt(1 / 300), kind: 'normal' },
  lecunUniform: { initializer: init.lecunUniform(), std: Math.sqrt(1 / 300), kind: 'uniform' },
  randomNormal: { initializer: init.randomNormal(1, 0.5), std: 0.5, mean: 1, kind: 'normal' },
  randomUniform: { initializer: init.randomUniform(-1, 3), std: 4 / Math.sqrt(12), mean: 1, kind: 'uniform' },
  truncatedNormal: { initializer: init.truncatedNormal(2, 0.5), std: 0.5 * CUT, mean: 2, kind: 'truncated' },
};

/** Of the fourth moment over the squared variance, which also bounds the error of a measured std. */
const kurtoses = { normal: 3, uniform: 1.8, truncated: 2.36 };

for (const [name, { initializer, std, mean = 0, kind }] of Object.entries(distributions)) {
  test(`${name}: mean, standard deviation, shape and range of ${count} draws`, () => {
    const got = statistics(draw(initializer));
    const kurtosis = kurtoses[kind];
    // Five standard errors.
    const ofMean = (5 * std) / Math.sqrt(count);
    const ofStd = 5 * std * Math.sqrt((kurtosis - 1) / (4 * count));
    assert.ok(Math.abs(got.mean - mean) < ofMean, `mean ${got.mean}, expected ${mean} within ${ofMean}`);
    assert.ok(Math.abs(got.std - std) < ofStd, `std ${got.std}, expected ${std} within ${ofStd}`);
    assert.ok(Math.abs(got.kurtosis - kurtosis) < 0.12, `kurtosis ${got.kurtosis}, expected ${kurtosis}`);
    const reach = Math.max(mean - got.min, got.max - mean) / std;
    if (kind === 'uniform') assert.ok(reach <= Math.sqrt(3) + 1e-6 && reach > 1.72, `reach ${reach}`);
    if (kind === 'truncated') assert.ok(reach <= 2 / CUT + 1e-6 && reach > 2.2, `reach ${reach}`);
    if (kind === 'normal') assert.ok(reach > 3.5 && reach < 6.5, `reach ${reach}`);
  });

  test(`${name}: the same seed gives the same bits, another seed others`, () => {
    const first = Buffer.from(draw(initializer, 5).buffer);
    assert.ok(first.equals(Buffer.from(draw(initializer, 5).buffer)));
    assert.ok(!first.equals(Buffer.from(draw(initializer, 6).buffer)));
  });
}

test('constants', () => {
  assert.deepEqual([...draw(init.zeros(), 0, [3])], [0, 0, 0]);
  assert.deepEqual([...draw(init.ones(), 0, [2])], [1, 1]);
  assert.deepEqual([...draw(init.constant(-0.5), 0, [2])], [-0.5, -0.5]);
});

for (const [rows, columns] of [
  [40, 15],
  [15, 40],
  [12, 12],
  [1, 7],
] as const) {
  test(`orthogonal [${rows},${columns}]: the fewer of rows and columns are orthonormal within 1e-5`, () => {
    const gain = 1.5;
    const q = draw(init.orthogonal(gain), 3, [rows, columns]);
    const at = (i: number, j: number): number => (q[i * columns + j] ?? Number.NaN) / gain;
    const [short, long] = [Math.min(rows, columns), Math.max(rows, columns)];
    for (let a = 0; a < short; a++) {
      for (let b = 0; b < short; b++) {
        let dot = 0;
        for (let t = 0; t < long; t++) dot += rows <= columns ? at(a, t) * at(b, t) : at(t, a) * at(t, b);
        assert.ok(Math.abs(dot - (a === b ? 1 : 0)) < 1e-5, `Q^T Q [${a},${b}] = ${dot}`);
      }
    }
  });
}

test('orthogonal sees a kernel as [KH KW IC, OC], and needs two dimensions', () => {
  const kernel = draw(init.orthogonal(), 3, [3, 3, 2, 4]);
  assert.deepEqual(kernel, draw(init.orthogonal(), 3, [18, 4]));
  refuses(() => init.orthogonal()([4], fans, 0), 'E_SHAPE', /at least 2 dimensions/);
});

test('layers pass their own fans: in and out for dense, times the window for convolution, per group', () => {
  const seen: unknown[] = [];
  const spy: Initializer = (of, given) => {
    seen.push([[...of], given]);
    return init.zeros()(of, given, 0);
  };
  const model = nn.sequential([
    nn.conv2d({ filters: 8, kernelSize: [3, 2], groups: 2, weightInit: spy }),
    nn.depthwiseConv2d({ kernelSize: 2, multiplier: 3, weightInit: spy }),
    nn.flatten(),
    nn.dense({ units: 5, weightInit: spy }),
  ]);
  model.build([4, 3, 4], 0);
  assert.deepEqual(seen, [
    [[3, 2, 2, 8], { fanIn: 12, fanOut: 24 }],
    [[2, 2, 8, 3], { fanIn: 4, fanOut: 12 }],
    [[24, 5], { fanIn: 24, fanOut: 5 }],
  ]);
  model.dispose();
});

async function weights(layers: Record<string, nn.Module>, seed: number): Promise<Map<string, Float32Array>> {
  using model = nn.sequential(layers);
  model.build([6], seed);
  return new Map([...(await model.stateDict())].map(([name, { data }]) => [name, data]));
}

test('each parameter draws from its own stream: adding a layer does not change the others', async () => {
  const dense = () => nn.dense({ units: 6, biasInit: init.randomNormal() });
  const small = await weights({ a: dense(), b: dense() }, 4);
  const large = await weights({ first: dense(), a: dense(), middle: nn.layerNorm(), b: dense() }, 4);
  for (const [name, data] of small) assert.deepEqual(large.get(name), data, name);
  assert.notDeepEqual(small.get('a.weight'), small.get('b.weight'));
  assert.notDeepEqual(small.get('a.bias'), small.get('a.weight')?.subarray(0, 6));
  assert.deepEqual(await weights({ a: dense(), b: dense() }, 4), small);
  assert.notDeepEqual((await weights({ a: dense() }, 5)).get('a.weight'), small.get('a.weight'));
});

test('an initialiser of a wrong shape is refused, and nothing is left behind', () => {
  const before = liveTensors();
  const wrong: Initializer = () => tensor([1, 2, 3]);
  const model = nn.sequential([nn.dense({ units: 4 }), nn.dense({ units: 2, biasInit: wrong })]);
  refuses(() => model.build([4], 0), 'E_SHAPE', /\[2\] for dense2\.bias, received \[3\]/);
  assert.equal(liveTensors(), before);
});
