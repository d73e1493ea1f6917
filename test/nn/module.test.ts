// Models: names, state dicts, building and freeing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../src/device.js';
import * as nn from '../../src/nn/index.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, tensor } from '../../src/tensor/tensor.js';
import { formula } from '../support/formula.js';
import { refuses } from '../support/refuses.js';

const net = () =>
  nn.sequential([
    nn.conv2d({ filters: 2, kernelSize: 3, padding: 'same', activation: 'relu' }),
    nn.batchNorm(),
    nn.flatten(),
    nn.sequential({ hidden: nn.dense({ units: 5 }), norm: nn.layerNorm() }),
    nn.dense({ units: 3, bias: false }),
  ]);

test('names follow kinds and places, or those given; counts add up', () => {
  using model = net();
  assert.equal(model.built, false);
  assert.deepEqual(model.build([4, 4, 1], 0), [3]);
  assert.equal(model.built, true);
  assert.deepEqual(
    [...model.namedParameters()].map(([name, { shape }]) => [name, [...shape]]),
    [
      ['conv2d1.weight', [3, 3, 1, 2]],
      ['conv2d1.bias', [2]],
      ['batchNorm1.gamma', [2]],
      ['batchNorm1.beta', [2]],
      ['sequential1.hidden.weight', [32, 5]],
      ['sequential1.hidden.bias', [5]],
      ['sequential1.norm.gamma', [5]],
      ['sequential1.norm.beta', [5]],
      ['dense1.weight', [5, 3]],
    ],
  );
  assert.deepEqual([...model.namedBuffers().keys()], ['batchNorm1.runningMean', 'batchNorm1.runningVar']);
  assert.equal(model.parameterCount, 18 + 2 + 2 + 2 + 160 + 5 + 5 + 5 + 15);
  assert.ok([...model.namedParameters().values()].every(({ requiresGrad }) => requiresGrad));
  assert.ok([...model.namedBuffers().values()].every(({ requiresGrad }) => !requiresGrad));
  refuses(() => model.build([4, 4, 1], 0), 'E_ARGUMENT', /not built.*dispose\(\)/);
  refuses(() => nn.sequential([]), 'E_ARGUMENT', /at least one layer/);
});

test('a state dict carries a model over, bit for bit', async () => {
  using source = net();
  using target = net();
  source.build([4, 4, 1], 1);
  target.build([4, 4, 1], 2);
  using x = tensor(formula(2 * 16, 3), [2, 4, 4, 1]);
  // Training moves the running statistics, which belong to the state.
  scope(() => void source.forward(x, { training: true, seed: 0, step: 0 }));
  const state = await source.stateDict();
  target.loadStateDict(state);
  assert.deepEqual(await target.stateDict(), state);
  using a = source.predict(x);
  using b = target.predict(x);
  assert.deepEqual(b.dataSync(), a.dataSync());
  assert.notDeepEqual([...(state.get('batchNorm1.runningMean')?.data ?? [])], [0, 0]);
  // Copies: the state does not follow the model.
  source.namedParameters().get('dense1.weight')?.write(new Float32Array(15));
  assert.notDeepEqual(state.get('dense1.weight')?.data, new Float32Array(15));
});

test('a state dict that does not fit is refused whole', async () => {
  using model = net();
  model.build([4, 4, 1], 1);
  const state = await model.stateDict();
  const changed = new Map([...state].map(([name, { shape, data }]) => [name, { shape, data: data.map((v) => v + 1) }]));

  const missing = new Map(changed);
  missing.delete('dense1.weight');
  missing.set('dense2.weight', { shape: [5, 3], data: new Float32Array(15) });
  refuses(
    () => model.loadStateDict(missing),
    'E_ARGUMENT',
    /missing \[dense1\.weight\], unexpected \[dense2\.weight\]/,
  );
  const reshaped = new Map(changed).set('dense1.weight', { shape: [3, 5], data: new Float32Array(15) });
  refuses(() => model.loadStateDict(reshaped), 'E_SHAPE', /dense1\.weight to be \[5,3\], received \[3,5\]/);
  const short = new Map(changed).set('dense1.weight', { shape: [5, 3], data: new Float32Array(14) });
  refuses(() => model.loadStateDict(short), 'E_SHAPE', /dense1\.weight/);
  assert.deepEqual(await model.stateDict(), state);
});

test('dispose frees everything, and the model can be built again', async () => {
  const before = [liveTensors(), memory().liveBuffers];
  const model = net();
  model.build([4, 4, 1], 1);
  const first = await model.stateDict();
  model.dispose();
  assert.deepEqual([liveTensors(), memory().liveBuffers], before);
  assert.equal(model.built, false);
  model.build([4, 4, 1], 1);
  assert.deepEqual(await model.stateDict(), first);
  model.dispose();
  model.dispose();
  assert.deepEqual([liveTensors(), memory().liveBuffers], before);
});

test('a build that fails leaves nothing behind, and may be tried again with other samples', () => {
  const before = liveTensors();
  const model = nn.sequential([nn.dense({ units: 4 }), nn.conv2d({ filters: 2, kernelSize: 3 })]);
  refuses(() => model.build([6], 0), 'E_SHAPE', /conv2d/);
  assert.equal(liveTensors(), before);
  assert.deepEqual(model.build([5, 5, 1], 0), [3, 3, 2]);
  model.dispose();
  assert.equal(liveTensors(), before);
});

test('predict is off the tape, in evaluation mode, and leaves only its result', () => {
  using model = nn.sequential([nn.dense({ units: 4, activation: 'gelu' }), nn.dropout(0.9), nn.flatten()]);
  model.build([3], 0);
  using x = tensor(formula(6, 1), [2, 3]);
  const before = liveTensors();
  const y = model.predict(x);
  assert.equal(liveTensors(), before + 1);
  assert.equal(y.requiresGrad, false);
  assert.ok(y.dataSync().every((v) => v !== 0));
  y.dispose();
});
