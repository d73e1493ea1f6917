// Small models by name: their parameters, outputs and refusals.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from '../../src/nn/index.js';
import { normal } from '../../src/ops/index.js';
import { scope } from '../../src/tensor/scope.js';
import { refuses } from '../support/refuses.js';

const shapesOf = (model: nn.Module): Record<string, number[]> =>
  Object.fromEntries([...model.namedParameters()].map(([name, { shape }]) => [name, [...shape]]));

test('an mlp flattens its samples and ends in a plain dense layer', () => {
  using model = nn.models.mlp({ hidden: [128, 32], outputs: 10 });
  assert.deepEqual(model.build([28, 28, 1], 0), [10]);
  assert.deepEqual(shapesOf(model), {
    'dense1.weight': [784, 128],
    'dense1.bias': [128],
    'dense2.weight': [128, 32],
    'dense2.bias': [32],
    'dense3.weight': [32, 10],
    'dense3.bias': [10],
  });
  using linear = nn.models.mlp({ hidden: [], outputs: 3 });
  linear.build([5], 0);
  assert.equal(linear.parameterCount, 18);
});

test('an mlp is the layers it is described by', () => {
  using model = nn.models.mlp({ hidden: [7], outputs: 3, activation: 'tanh', dropout: 0.5 });
  using layers = nn.sequential([
    nn.flatten(),
    nn.dense({ units: 7, activation: 'tanh' }),
    nn.dropout(0.5),
    nn.dense({ units: 3 }),
  ]);
  for (const each of [model, layers]) each.build([2, 4], 9);
  scope(() => {
    const x = normal([5, 2, 4], { seed: 1 });
    const outputs = [model, layers].map((each) => each.forward(x, { training: true, seed: 2, step: 3 }).dataSync());
    assert.deepEqual(outputs[0], outputs[1]);
    assert.notDeepEqual(outputs[0], model.predict(x).dataSync());
  });
});

test('lenet has by default the sizes of LeNet-5', () => {
  using model = nn.models.lenet();
  assert.deepEqual(model.build([32, 32, 1], 0), [10]);
  assert.deepEqual(shapesOf(model), {
    'conv2d1.weight': [5, 5, 1, 6],
    'conv2d1.bias': [6],
    'conv2d2.weight': [5, 5, 6, 16],
    'conv2d2.bias': [16],
    'dense1.weight': [400, 120],
    'dense1.bias': [120],
    'dense2.weight': [120, 84],
    'dense2.bias': [84],
    'dense3.weight': [84, 10],
    'dense3.bias': [10],
  });
  // 156 + 2416 + 48120 + 10164 + 850
  assert.equal(model.parameterCount, 61_706);
});

test('lenet of other sizes is the layers it is described by', () => {
  using model = nn.models.lenet({ filters: [3, 4], padding: 'same', kernelSize: 3, hidden: [8], outputs: 2 });
  using layers = nn.sequential([
    nn.conv2d({ filters: 3, kernelSize: 3, padding: 'same', activation: 'relu' }),
    nn.maxPool2d(2),
    nn.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.dense({ units: 8, activation: 'relu' }),
    nn.dense({ units: 2 }),
  ]);
  for (const each of [model, layers]) assert.deepEqual(each.build([12, 12, 2], 4), [2]);
  scope(() => {
    const x = normal([3, 12, 12, 2], { seed: 1 });
    assert.deepEqual(model.predict(x).dataSync(), layers.predict(x).dataSync());
  });
});

test('sizes that make no sense are refused', () => {
  refuses(() => nn.models.mlp({ hidden: [0], outputs: 1 }), 'E_ARGUMENT', /dense: expected units/);
  refuses(() => nn.models.mlp({ hidden: [1], outputs: 1.5 }), 'E_ARGUMENT', /dense: expected units/);
  refuses(() => nn.models.mlp({ hidden: [1], outputs: 1, dropout: 1 }), 'E_ARGUMENT', /dropout: expected p/);
  refuses(() => nn.models.lenet().build([28, 28], 0), 'E_SHAPE', /expected samples of shape \[H,W,C\]/);
});
