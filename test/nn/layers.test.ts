// Each layer's output shape and values on small inputs, against plain loops.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from '../../src/nn/index.js';
import { scope } from '../../src/tensor/scope.js';
import type { Shape } from '../../src/tensor/shape.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { formula } from '../support/formula.js';
import { refuses, rejects } from '../support/refuses.js';
import * as plain from './plain.js';

const training = (seed: number, step: number): nn.Mode => ({ training: true, seed, step });

/** Random values for every parameter, so that none is hidden by its initial value. */
function randomize(layer: nn.Module): Map<string, Float32Array> {
  let seed = 100;
  const values = new Map<string, Float32Array>();
  for (const [name, parameter] of layer.namedParameters()) {
    const data = formula(parameter.size, seed++);
    parameter.write(data);
    values.set(name, data);
  }
  return values;
}

function close(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-5): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    const got = actual[i] ?? Number.NaN;
    assert.ok(Math.abs(got - value) <= tolerance * (1 + Math.abs(value)), `element ${i}: ${got}, expected ${value}`);
  });
}

interface Case {
  readonly name: string;
  readonly layer: () => nn.Module;
  /** With the batch dimension. */
  readonly input: Shape;
  readonly output: Shape;
  readonly expected: (x: Float32Array, parameters: ReadonlyMap<string, Float32Array>) => number[];
  readonly parameters?: Readonly<Record<string, Shape>>;
}

const of = (parameters: ReadonlyMap<string, Float32Array>, name: string): Float32Array =>
  parameters.get(name) ?? new Float32Array();
const x6: readonly [number, number, number, number] = [2, 6, 5, 4];

const cases: Case[] = [
  {
    name: 'dense',
    layer: () => nn.dense({ units: 3 }),
    input: [2, 5],
    output: [2, 3],
    parameters: { weight: [5, 3], bias: [3] },
    expected: (x, p) => plain.dense(x, of(p, 'weight'), of(p, 'bias'), 5),
  },
  {
    name: 'dense over the last of three dimensions, relu',
    layer: () => nn.dense({ units: 4, activation: 'relu' }),
    input: [2, 3, 5],
    output: [2, 3, 4],
    expected: (x, p) => plain.dense(x, of(p, 'weight'), of(p, 'bias'), 5).map((v) => Math.max(0, v)),
  },
  {
    name: 'dense without bias, silu',
    layer: () => nn.dense({ units: 2, activation: 'silu', bias: false }),
    input: [3, 4],
    output: [3, 2],
    parameters: { weight: [4, 2] },
    expected: (x, p) => plain.dense(x, of(p, 'weight'), [0, 0], 4).map((v) => v / (1 + Math.exp(-v))),
  },
  {
    name: 'conv2d valid',
    layer: () => nn.conv2d({ filters: 3, kernelSize: [3, 2] }),
    input: x6,
    output: [2, 4, 4, 3],
    parameters: { weight: [3, 2, 4, 3], bias: [3] },
    expected: (x, p) =>
      plain.conv2d({ shape: x6, data: x }, of(p, 'weight'), of(p, 'bias'), 3, 1, plain.valid([6, 5], [3, 2])),
  },
  {
    name: 'conv2d same, stride 2, tanh',
    layer: () => nn.conv2d({ filters: 2, kernelSize: 3, padding: 'same', stride: 2, activation: 'tanh' }),
    input: x6,
    output: [2, 3, 3, 2],
    expected: (x, p) =>
      plain
        .conv2d({ shape: x6, data: x }, of(p, 'weight'), of(p, 'bias'), 2, 1, plain.same([6, 5], [3, 3], [2, 2]))
        .map(Math.tanh),
  },
  {
    name: 'conv2d same with an even kernel, two groups, dilated',
    layer: () => nn.conv2d({ filters: 6, kernelSize: 2, padding: 'same', groups: 2, dilation: [2, 1] }),
    input: x6,
    output: [2, 6, 5, 6],
    parameters: { weight: [2, 2, 2, 6], bias: [6] },
    expected: (x, p) => {
      const windows = plain.same([6, 5], [2, 2], [1, 1], [2, 1]);
      return plain.conv2d({ shape: x6, data: x }, of(p, 'weight'), of(p, 'bias'), 6, 2, windows);
    },
  },
  {
    name: 'depthwiseConv2d same, multiplier 2',
    layer: () => nn.depthwiseConv2d({ kernelSize: 3, padding: 'same', multiplier: 2 }),
    input: x6,
    output: [2, 6, 5, 8],
    parameters: { weight: [3, 3, 4, 2], bias: [8] },
    expected: (x, p) =>
      plain.depthwise({ shape: x6, data: x }, of(p, 'weight'), of(p, 'bias'), 2, plain.same([6, 5], [3, 3])),
  },
  {
    name: 'depthwiseConv2d valid, stride 2',
    layer: () => nn.depthwiseConv2d({ kernelSize: [2, 3], stride: [2, 1] }),
    input: x6,
    output: [2, 3, 3, 4],
    expected: (x, p) =>
      plain.depthwise({ shape: x6, data: x }, of(p, 'weight'), of(p, 'bias'), 1, plain.valid([6, 5], [2, 3], [2, 1])),
  },
  {
    name: 'maxPool2d',
    layer: () => nn.maxPool2d(2),
    input: x6,
    output: [2, 3, 2, 4],
    parameters: {},
    expected: (x) => plain.maxPool({ shape: x6, data: x }, plain.valid([6, 5], [2, 2], [2, 2])),
  },
  {
    name: 'maxPool2d same, overlapping',
    layer: () => nn.maxPool2d(3, { stride: 2, padding: 'same' }),
    input: x6,
    output: [2, 3, 3, 4],
    expected: (x) => plain.maxPool({ shape: x6, data: x }, plain.same([6, 5], [3, 3], [2, 2])),
  },
  {
    name: 'avgPool2d same, padding not counted',
    layer: () => nn.avgPool2d(3, { stride: 1, padding: 'same' }),
    input: x6,
    output: [2, 6, 5, 4],
    expected: (x) => plain.avgPool({ shape: x6, data: x }, plain.same([6, 5], [3, 3])),
  },
  {
    name: 'avgPool2d same, padding counted',
    layer: () => nn.avgPool2d([3, 2], { stride: 1, padding: 'same', countIncludePad: true }),
    input: x6,
    output: [2, 6, 5, 4],
    expected: (x) => plain.avgPool({ shape: x6, data: x }, plain.same([6, 5], [3, 2]), true),
  },
  {
    name: 'globalAvgPool2d',
    layer: () => nn.globalAvgPool2d(),
    input: x6,
    output: [2, 4],
    expected: (x) => plain.avgPool({ shape: x6, data: x }, plain.valid([6, 5], [6, 5])),
  },
  {
    name: 'globalMaxPool2d',
    layer: () => nn.globalMaxPool2d(),
    input: x6,
    output: [2, 4],
    expected: (x) => plain.maxPool({ shape: x6, data: x }, plain.valid([6, 5], [6, 5])),
  },
  { name: 'flatten', layer: () => nn.flatten(), input: x6, output: [2, 120], expected: (x) => [...x] },
  { name: 'reshape', layer: () => nn.reshape([10, 12]), input: x6, output: [2, 10, 12], expected: (x) => [...x] },
  {
    name: 'activation elu',
    layer: () => nn.activation('elu'),
    input: [2, 7],
    output: [2, 7],
    expected: (x) => [...x].map((v) => (v > 0 ? v : Math.expm1(v))),
  },
  {
    name: 'layerNorm',
    layer: () => nn.layerNorm({ epsilon: 1e-3 }),
    input: [2, 3, 5],
    output: [2, 3, 5],
    parameters: { gamma: [5], beta: [5] },
    expected: (x, p) =>
      Array.from({ length: 6 }, (_, row) => {
        const values = [...x.subarray(row * 5, row * 5 + 5)];
        const { mean, variance } = plain.moments(values);
        const at = (v: number, c: number): number =>
          ((v - mean) / Math.sqrt(variance + 1e-3)) * (of(p, 'gamma')[c] ?? 0) + (of(p, 'beta')[c] ?? 0);
        return values.map(at);
      }).flat(),
  },
  {
    name: 'dropout in evaluation',
    layer: () => nn.dropout(0.5),
    input: [4, 9],
    output: [4, 9],
    expected: (x) => [...x],
  },
];

for (const { name, layer, input, output, expected, parameters } of cases) {
  test(name, () => {
    const before = liveTensors();
    const model = layer();
    assert.deepEqual(model.build(input.slice(1), 3, ''), output.slice(1));
    const made = [...model.namedParameters()].map(([key, value]) => [key, value.shape]);
    if (parameters) assert.deepEqual(Object.fromEntries(made), parameters);
    const values = randomize(model);
    const data = formula(
      input.reduce((a, b) => a * b, 1),
      7,
      2,
    );
    const x = tensor(data, input);
    const y = scope(() => model.forward(x, nn.evaluation));
    assert.deepEqual(y.shape, output);
    close(y.dataSync(), expected(data, values));
    for (const t of new Set<Tensor>([x, y])) t.dispose();
    model.dispose();
    assert.equal(liveTensors(), before);
  });
}

test('batchNorm normalises by the batch when training and by the running statistics otherwise', () => {
  const epsilon = 1e-3;
  const momentum = 0.25;
  using layer = nn.batchNorm({ epsilon, momentum });
  assert.deepEqual(layer.build([2, 3], 0), [2, 3]);
  const parameters = randomize(layer);
  const rows = 8; // a batch of 4 with 2 positions
  const data = formula(rows * 3, 5, 3);
  using x = tensor(data, [4, 2, 3]);
  const channel = (c: number): number[] => Array.from({ length: rows }, (_, r) => data[r * 3 + c] ?? 0);
  const stats = [0, 1, 2].map((c) => plain.moments(channel(c)));
  const normalised = (means: readonly number[], variances: readonly number[]): number[] =>
    [...data].map((v, i) => {
      const c = i % 3;
      const scaled = (v - (means[c] ?? 0)) / Math.sqrt((variances[c] ?? 0) + epsilon);
      return scaled * (of(parameters, 'gamma')[c] ?? 0) + (of(parameters, 'beta')[c] ?? 0);
    });

  using fresh = layer.forward(x, nn.evaluation);
  close(fresh.dataSync(), normalised([0, 0, 0], [1, 1, 1]));
  using trained = layer.forward(x, training(0, 0));
  close(
    trained.dataSync(),
    normalised(
      stats.map(({ mean }) => mean),
      stats.map(({ variance }) => variance),
    ),
  );
  const buffers = layer.namedBuffers();
  const means = stats.map(({ mean }) => momentum * mean);
  const variances = stats.map(({ variance }) => 1 - momentum + (momentum * variance * rows) / (rows - 1));
  close(buffers.get('runningMean')?.dataSync() ?? [], means);
  close(buffers.get('runningVar')?.dataSync() ?? [], variances);
  using later = layer.forward(x, nn.evaluation);
  close(later.dataSync(), normalised(means, variances));
});

test('dropout: the mask depends on seed, step and layer only, and the expectation is kept', () => {
  const model = nn.sequential([nn.dropout(0.3), nn.dropout(0.3)]);
  model.build([1000], 0);
  const [first, second] = model.layers;
  assert.ok(first && second);
  using x = tensor(new Float32Array(20_000).fill(2), [20, 1000]);
  const mask = (layer: nn.Module, seed: number, step: number): string => {
    using y = layer.forward(x, training(seed, step));
    return [...y.dataSync()].map((v) => (v === 0 ? '0' : '1')).join('');
  };
  const base = mask(first, 1, 5);
  assert.equal(mask(first, 1, 5), base);
  for (const other of [mask(first, 1, 6), mask(first, 2, 5), mask(second, 1, 5)]) assert.notEqual(other, base);

  using y = first.forward(x, training(1, 5));
  const values = [...y.dataSync()];
  const dropped = values.filter((v) => v === 0).length / values.length;
  // Five standard deviations of a share of 0.3 in 20,000 draws.
  assert.ok(Math.abs(dropped - 0.3) < 5 * Math.sqrt((0.3 * 0.7) / 20_000), `dropped ${dropped}`);
  assert.deepEqual(new Set(values), new Set([0, Math.fround(2 / 0.7)]));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  assert.ok(Math.abs(mean - 2) < (5 * 2 * Math.sqrt(0.3 / 0.7)) / Math.sqrt(20_000), `mean ${mean}`);
  refuses(() => nn.dropout(1), 'E_ARGUMENT', /\[0, 1\), received 1/);
  refuses(() => nn.dropout(Number.NaN), 'E_ARGUMENT');
});

test('embedding gives rows of its table; an id outside of it fails on the device, which stays usable', async () => {
  using layer = nn.embedding({ vocabulary: 5, units: 3 });
  assert.deepEqual(layer.build([2], 1), [2, 3]);
  const table = of(randomize(layer), 'weight');
  using ids = tensor(Int32Array.of(4, 0, 2, 2), [2, 2]);
  using y = layer.forward(ids, nn.evaluation);
  assert.deepEqual(y.shape, [2, 2, 3]);
  const rows = [4, 0, 2, 2].flatMap((id) => [...table.subarray(3 * id, 3 * id + 3)]);
  assert.deepEqual([...y.dataSync()], rows);
  using wrong = tensor(Int32Array.of(5), [1, 1]);
  using failed = layer.forward(wrong, nn.evaluation);
  await rejects(failed.data(), 'E_RANGE', /gather/);
  using again = layer.forward(ids, nn.evaluation);
  assert.deepEqual([...again.dataSync()], rows);
  refuses(() => nn.embedding({ vocabulary: 0, units: 3 }), 'E_ARGUMENT', /vocabulary/);
});

test('layers refuse samples they cannot take, naming themselves', () => {
  refuses(() => nn.dense({ units: 0 }), 'E_ARGUMENT', /^dense: expected units/);
  refuses(() => nn.dense({ units: 3 }).build([], 0), 'E_SHAPE', /^dense: .*flatten/);
  refuses(() => nn.conv2d({ filters: 2, kernelSize: 3 }).build([784], 0), 'E_SHAPE', /^conv2d: .*\[H,W,C\].*\[784\]/);
  refuses(() => nn.conv2d({ filters: 2, kernelSize: 9 }).build([5, 5, 1], 0), 'E_SHAPE', /^conv2d/);
  refuses(() => nn.conv2d({ filters: 3, kernelSize: 3, groups: 2 }).build([5, 5, 4], 0), 'E_SHAPE', /2 groups/);
  refuses(() => nn.conv2d({ filters: 2, kernelSize: 0 }).build([5, 5, 1], 0), 'E_ARGUMENT', /kernelSize/);
  refuses(() => nn.maxPool2d(7).build([5, 5, 1], 0), 'E_SHAPE', /^maxPool2d/);
  refuses(() => nn.globalAvgPool2d().build([5], 0), 'E_SHAPE', /^globalAvgPool2d/);
  refuses(() => nn.reshape([7]).build([5, 5, 1], 0), 'E_SHAPE', /samples of 7 elements/);
  refuses(() => nn.batchNorm().build([], 0), 'E_SHAPE', /^batchNorm/);
});
