// Frozen layers cost no backward and stand still; captured steps follow what is frozen meanwhile.
import assert from 'node:assert/strict';
import * as autograd from '../../src/autograd/index.js';
import { capture } from '../../src/capture/index.js';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { adamw, create, sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { freeze, unfreeze } from '../../src/transfer/index.js';
import { balanced, batchOf, compareRuns, type StepInputs, sameBits, stateOf, trainable } from '../capture/setup.js';
import { refuses } from '../support/refuses.js';

const shape = [6, 6, 2];
const convolutional = () =>
  nn.sequential([
    nn.conv2d({ filters: 3, kernelSize: 3, padding: 'same' }),
    nn.batchNorm(),
    nn.activation('relu'),
    nn.dropout(0.5),
    nn.conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
    nn.flatten(),
    nn.dense({ units: 5, activation: 'relu' }),
    nn.dense({ units: 3 }),
  ]);
const body = /^(?!dense)/;

/** The ops of the first plan of a captured step, from its explanation. */
const opsOf = (explanation: string): string[] =>
  [...explanation.matchAll(/^\d+ +(\w+) /gm)].map(([, name = '']) => name);

balanced('backward ends at the first layer that learns', () => {
  const plans = [false, true].map((frozen) => {
    using net = trainable(convolutional(), shape, sgd({ lr: 0.1 }));
    if (frozen) {
      assert.deepEqual(freeze(net.model, body), [
        'conv2d1.weight',
        'conv2d1.bias',
        'batchNorm1.gamma',
        'batchNorm1.beta',
        'relu1',
        'dropout1',
        'conv2d2.weight',
        'conv2d2.bias',
        'flatten1',
      ]);
    }
    using step = capture((inputs: StepInputs) => net.step(inputs, 0).loss, { fuse: false });
    using batch = batchOf(4, shape, 3, 1);
    step(batch).dispose();
    return opsOf(step.explain());
  });
  const [all = [], head = []] = plans;
  const backwards = (names: readonly string[]) => names.filter((name) => /backward|dropout/.test(name)).sort();
  assert.ok(backwards(all).some((name) => name.startsWith('conv2d_backward')));
  assert.ok(backwards(all).includes('batch_norm_backward'));
  // What is left is the loss and the activation between both dense layers; the body's convolutions ran forward only.
  assert.deepEqual(
    backwards(head).filter((name) => /conv|batch_norm|dropout/.test(name)),
    [],
  );
  const convolutions = (names: readonly string[]) => names.filter((name) => name === 'conv2d').length;
  assert.equal(convolutions(head), 2);
  assert.ok(head.length < all.length - 5, `${head.length} of ${all.length} ops`);
});

balanced(
  'weights, moments, averages and statistics of what is frozen stand still, under weight decay, too',
  async () => {
    using net = trainable(convolutional(), shape, adamw({ lr: 0.05, weightDecay: 0.1, ema: { decay: 0.5 } }));
    const train = (steps: number) => {
      for (let t = 0; t < steps; t++) {
        using batch = batchOf(4, shape, 3, t);
        scope(() => void net.step(batch, t));
      }
    };
    train(2); // moments and statistics are no longer those of the start
    freeze(net.model, body);
    const before = await stateOf(net);
    train(3);
    const after = await stateOf(net);
    for (const [name, values] of after) {
      if (/dense/.test(name)) assert.notDeepEqual(values, before.get(name), name);
      else sameBits(values, before.get(name) ?? new Float32Array(), name);
    }
    unfreeze(net.model, body);
    train(1);
    const learnt = await stateOf(net);
    for (const name of ['conv2d1.weight', 'batchNorm1.runningMean', 'optimizer conv2d2.weight.ema'])
      assert.notDeepEqual(learnt.get(name) ?? [], after.get(name), name);
  },
);

balanced('a frozen body gives what it gives in evaluation', () => {
  using model = convolutional();
  model.build(shape, 1);
  using batch = batchOf(4, shape, 3, 1);
  scope(() => void model.forward(batch.x, { training: true, seed: 1, step: 0 }));
  freeze(model, body);
  const [training, evaluated] = scope(() => [
    model.forward(batch.x, { training: true, seed: 1, step: 0 }).detach(),
    model.forward(batch.x).detach(),
  ]);
  sameBits(training?.dataSync() as Float32Array, evaluated?.dataSync() as Float32Array, 'outputs');
  training?.dispose();
  evaluated?.dispose();
});

balanced('a layer of which only a part is frozen runs as it trains', () => {
  using model = convolutional();
  model.build(shape, 1);
  freeze(model, ['batchNorm1.gamma']);
  assert.equal(model.layers[1]?.frozen, false);
  freeze(model, ['batchNorm1.beta']);
  assert.equal(model.layers[1]?.frozen, true);
  unfreeze(model, ['batchNorm1']);
  assert.equal(model.layers[1]?.frozen, false);
  freeze(model, (name) => name === 'dropout1');
  assert.equal(model.layers[3]?.frozen, true);
});

balanced('captured steps follow layers that are frozen and unfrozen between them', async () => {
  const batches = Array.from({ length: 10 }, (_, i) => ({ size: 4, seed: 31 + i }));
  using step = await compareRuns(
    () => trainable(convolutional(), shape, sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.01, clipNorm: 1 })),
    batches,
    shape,
    3,
    ({ model }, t) => {
      if (t === 0) freeze(model, body);
      if (t === 3) unfreeze(model, ['conv2d2']);
      if (t === 6) unfreeze(model, body);
      if (t === 8) freeze(model, ['dense1', 'batchNorm1']);
    },
  );
  // The first step of each has no gradients of the one before in the arena; a plan more for each is room enough.
  assert.ok(step.plans.length >= 4 && step.plans.length <= 8, `${step.plans.length} plans`);
});

balanced('a captured function without an optimizer sees it, too', () => {
  using model = convolutional();
  model.build(shape, 1);
  using step = capture(({ x }: StepInputs) => ops.sum(model.forward(x, { training: true, seed: 1, step: 0 })));
  using batch = batchOf(2, shape, 3, 1);
  const value = () => {
    using sum = step(batch);
    return sum.dataSync()[0];
  };
  const first = value();
  value();
  assert.equal(step.plans.length, 1);
  freeze(model, body);
  assert.notEqual(value(), first);
  assert.equal(step.plans.length, 2);
});

balanced('a gradient from before is forgotten with the freezing', () => {
  using model = nn.sequential([nn.dense({ units: 2 }), nn.dense({ units: 1 })]);
  model.build([3], 1);
  using optimizer = create(sgd({ lr: 1 }), model.namedParameters());
  using batch = batchOf(2, [3], 2, 1);
  const before = model.namedParameters().get('dense1.weight')?.dataSync();
  scope(() => autograd.backward(ops.sum(model.forward(batch.x))));
  freeze(model, ['dense1']);
  optimizer.step();
  assert.deepEqual(model.namedParameters().get('dense1.weight')?.dataSync(), before);
});

balanced('what matches nothing, or is not built, is refused', () => {
  using model = convolutional();
  refuses(() => freeze(model, /conv/), 'E_ARGUMENT', /freeze: expected a model that is built/);
  model.build(shape, 1);
  refuses(() => freeze(model, /lstm/), 'E_ARGUMENT', /freeze: expected \/lstm\/ to match one of conv2d1\.weight/);
  refuses(() => unfreeze(model, ['conv']), 'E_ARGUMENT', /unfreeze: expected conv to match/);
  freeze(model, body);
  model.dispose();
  model.build(shape, 1);
  assert.equal(model.layers[1]?.frozen, false);
});
