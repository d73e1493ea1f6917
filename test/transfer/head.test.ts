// Another head on a trained body, and rates that spare the body.
import assert from 'node:assert/strict';
import * as nn from '../../src/nn/index.js';
import { create, sgd } from '../../src/optim/index.js';
import * as train from '../../src/train/index.js';
import { fineTune, freeze, gradualUnfreezing, replaceHead } from '../../src/transfer/index.js';
import { refuses } from '../support/refuses.js';
import { balanced, data } from '../train/setup.js';

const net = (units = 4) => nn.sequential([nn.dense({ units: 8, activation: 'relu' }), nn.dense({ units })]);

balanced('a head is replaced, freshly from a seed; the body stays', async () => {
  using model = net();
  model.build([2], 1);
  const before = await model.stateDict();
  replaceHead(model, { units: 3, seed: 7 });
  assert.deepEqual(
    [...model.namedParameters()].map(([name, { shape }]) => [name, shape]),
    [
      ['dense1.weight', [2, 8]],
      ['dense1.bias', [8]],
      ['dense2.weight', [8, 3]],
      ['dense2.bias', [3]],
    ],
  );
  const after = await model.stateDict();
  assert.deepEqual(after.get('dense1.weight'), before.get('dense1.weight'));
  // As in a model that was built so.
  using whole = net(3);
  whole.build([2], 7);
  assert.deepEqual(after.get('dense2.weight'), (await whole.stateDict()).get('dense2.weight'));
  assert.equal(model.layers.at(-1)?.path, 'dense2');
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0.1 }) });
  assert.ok(Number.isFinite((await run.result).history[0]?.metrics.loss));
});

balanced('any layer may be a head; one that does not fit leaves all as it was', async () => {
  using model = net();
  model.build([2], 1);
  const before = await model.stateDict();
  refuses(() => replaceHead(model, { layer: nn.conv2d({ filters: 1, kernelSize: 3 }) }), 'E_SHAPE');
  assert.deepEqual(await model.stateDict(), before);
  replaceHead(model, { layer: nn.sequential([nn.dense({ units: 6 }), nn.dense({ units: 3 })]), seed: 1 });
  assert.deepEqual([...model.namedParameters().keys()].slice(2, 4), ['dense2.dense1.weight', 'dense2.dense1.bias']);
});

balanced("what is no head, or is an optimizer's, is refused", () => {
  using model = nn.sequential([nn.dense({ units: 2 }), nn.flatten()]);
  refuses(() => replaceHead(model, { units: 3 }), 'E_ARGUMENT', /a model that is built/);
  model.build([2], 1);
  refuses(() => replaceHead(model, { units: 3 }), 'E_ARGUMENT', /a last layer with parameters, received flatten/);
  refuses(() => fineTune(model, { lr: 1 }), 'E_ARGUMENT', /fineTune: expected a last layer/);
  using other = net();
  other.build([2], 1);
  using optimizer = create(sgd({ lr: 1 }), other.namedParameters());
  refuses(() => replaceHead(other, { units: 3 }), 'E_ARGUMENT', /no optimizer has.*dispose\(\) it first/);
  optimizer.dispose();
  replaceHead(other, { units: 3 });
});

balanced('the body learns at a tenth of the rate, the head at the rate; given groups come first', () => {
  using model = net();
  model.build([2], 1);
  const body = { match: ['dense1.weight', 'dense1.bias'], lrScale: 0.1 };
  assert.deepEqual(fineTune(model, { lr: 0.5, momentum: 0.9 }), { lr: 0.5, momentum: 0.9, groups: [body] });
  const bias = { match: /bias/, weightDecay: 0 };
  assert.deepEqual(fineTune(model, { lr: 0.5, groups: [bias] }, { bodyScale: 1 }).groups, [
    bias,
    { ...body, lrScale: 1 },
  ]);
  using optimizer = create(sgd(fineTune(model, { lr: 0.5 })), model.namedParameters());
  const before = model.namedParameters().get('dense1.bias')?.dataSync() ?? [];
  for (const parameter of model.namedParameters().values()) {
    const { gradSlot } = parameter;
    gradSlot?.write(new Float32Array(parameter.size).fill(1));
    parameter.grad = gradSlot;
  }
  optimizer.step();
  const after = model.namedParameters();
  assert.deepEqual(
    [...(after.get('dense1.bias')?.dataSync() ?? [])],
    [...before].map((value) => Math.fround(value - Math.fround(0.05))),
  );
  assert.deepEqual([...(after.get('dense2.bias')?.dataSync() ?? [])], [-0.5, -0.5, -0.5, -0.5]);
});

balanced('layers join the training epoch by epoch, also where it is resumed', async () => {
  const plan = [
    { epoch: 1, match: ['dense1.bias'] },
    { epoch: 2, match: ['dense1'] },
  ];
  using model = net(3);
  model.build([2], 1);
  freeze(model, ['dense1']);
  const moved: Record<string, boolean>[] = [];
  let before = await model.stateDict();
  const watch: train.Callback = {
    name: 'watch',
    async onEpoch(_event, run) {
      const now = await run.weights('raw');
      const changed = (name: string) => String(now.get(name)?.data) !== String(before.get(name)?.data);
      moved.push({ weight: changed('dense1.weight'), bias: changed('dense1.bias'), head: changed('dense2.weight') });
      before = new Map(now);
    },
  };
  const thaw = gradualUnfreezing(plan);
  await using run = train.fit(model, { data, epochs: 3, optimizer: sgd({ lr: 0.1 }), callbacks: [watch, thaw] });
  await run.result;
  assert.deepEqual(moved, [
    { weight: false, bias: false, head: true },
    { weight: false, bias: true, head: true },
    { weight: true, bias: true, head: true },
  ]);

  using resumed = net(3);
  resumed.build([2], 1);
  freeze(resumed, ['dense1']);
  const again = gradualUnfreezing(plan);
  again.load?.({ json: { epoch: 1 } });
  await using rest = train.fit(resumed, { data, epochs: 1, optimizer: sgd({ lr: 0.1 }), callbacks: [again] });
  const bias = resumed.namedParameters().get('dense1.bias');
  const weight = await resumed.namedParameters().get('dense1.weight')?.data();
  await rest.result;
  assert.notDeepEqual(await bias?.data(), new Float32Array(8));
  assert.deepEqual(await resumed.namedParameters().get('dense1.weight')?.data(), weight);
});

balanced('a plan that makes no sense is refused', async () => {
  refuses(() => gradualUnfreezing([]), 'E_ARGUMENT', /at least one epoch/);
  refuses(() => gradualUnfreezing([{ epoch: -1, match: /a/ }]), 'E_ARGUMENT', /integer of at least 0/);
});
