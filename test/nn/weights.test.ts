// Weights to a file and back, whole and in part.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readSafetensors, writeSafetensors } from '../../src/io/index.js';
import * as nn from '../../src/nn/index.js';
import { create, sgd } from '../../src/optim/index.js';
import { refuses, rejects } from '../support/refuses.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-weights-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'weights.safetensors');

const net = (units: number, seed: number) => {
  const model = nn.sequential({ body: nn.dense({ units: 4 }), norm: nn.batchNorm(), head: nn.dense({ units }) });
  model.build([3], seed);
  return model;
};

test('a file holds parameters and buffers under their names, and carries a model over', async () => {
  using source = net(2, 1);
  using target = net(2, 2);
  await nn.saveWeights(path, source, { metadata: { task: 'digits' } });
  const { tensors, metadata } = await readSafetensors(path);
  assert.deepEqual(metadata, { task: 'digits' });
  assert.deepEqual(Object.keys(tensors).sort(), [...(await source.stateDict()).keys()].sort());
  const report = await nn.loadWeights(path, target);
  assert.deepEqual(await target.stateDict(), await source.stateDict());
  assert.deepEqual(report, {
    loaded: [...(await source.stateDict()).keys()],
    missing: [],
    unexpected: [],
    mismatched: [],
  });
});

test('averaged weights are saved while they are in place', async () => {
  using model = net(2, 1);
  using optimizer = create(sgd({ lr: 0.1, ema: { decay: 0.9 } }), model.namedParameters());
  const before = await model.stateDict();
  model.namedParameters().get('head.bias')?.write([5, 5]);
  await optimizer.withEma(() => nn.saveWeights(path, model));
  assert.deepEqual((await readSafetensors(path)).tensors['head.bias']?.data, before.get('head.bias')?.data);
  await nn.saveWeights(path, model, { weights: new Map([['x', { shape: [1], data: Float32Array.of(3) }]]) });
  assert.deepEqual((await readSafetensors(path)).tensors.x?.data, Float32Array.of(3));
});

test('a part is loaded by pattern; what does not fit is reported, or refused with nothing changed', async () => {
  using source = net(5, 1);
  await nn.saveWeights(path, source);
  const { tensors } = await readSafetensors(path);
  const { 'body.bias': bias, 'norm.gamma': gamma, ...rest } = tensors;
  assert.ok(bias && gamma);
  await writeSafetensors(path, { ...rest, extra: bias, 'norm.gamma': { ...gamma, dtype: 'f16' } });

  using target = net(2, 2);
  const before = await target.stateDict();
  await rejects(nn.loadWeights(path, target), 'E_ARGUMENT', /missing \[body\.bias\], unexpected \[extra\]/);
  await rejects(
    nn.loadWeights(path, target, { match: /^(head|norm)/ }),
    'E_SHAPE',
    /head\.weight in .* to be f32 \[4,2\], received f32 \[4,5\]/,
  );
  assert.deepEqual(await target.stateDict(), before);

  assert.deepEqual(await nn.loadWeights(path, target, { strict: false }), {
    loaded: ['body.weight', 'norm.gamma', 'norm.beta', 'norm.runningMean', 'norm.runningVar'],
    missing: ['body.bias'],
    unexpected: ['extra'],
    mismatched: [
      { name: 'head.weight', expected: 'f32 [4,2]', received: 'f32 [4,5]' },
      { name: 'head.bias', expected: 'f32 [2]', received: 'f32 [5]' },
    ],
  });
  const after = await target.stateDict();
  assert.deepEqual(after.get('body.weight'), (await source.stateDict()).get('body.weight'));
  assert.deepEqual(after.get('head.weight'), before.get('head.weight'));

  using part = net(2, 3);
  const { loaded, missing } = await nn.loadWeights(path, part, { match: ['norm'] });
  assert.deepEqual([loaded.length, missing], [4, []]);
});

test('integers are no weights; a model must be built', async () => {
  using model = net(2, 1);
  await writeSafetensors(path, { 'head.bias': { data: Int32Array.of(1, 2), shape: [2], dtype: 'i32' } });
  await rejects(nn.loadWeights(path, model, { match: ['head.bias'] }), 'E_SHAPE', /received i32 \[2\]/);
  const unbuilt = nn.sequential([nn.dense({ units: 1 })]);
  await rejects(nn.saveWeights(path, unbuilt), 'E_ARGUMENT', /saveWeights: expected a model that is built/);
  await rejects(nn.loadWeights(path, unbuilt), 'E_ARGUMENT', /loadWeights: expected a model that is built/);
  await rejects(nn.loadWeights(join(folder, 'none'), model), 'E_IO', /none/);
  refuses(() => unbuilt.replaceLast(nn.dense({ units: 1 }), 0), 'E_ARGUMENT', /a model that is built/);
});
