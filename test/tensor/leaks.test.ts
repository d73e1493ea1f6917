// Which tensors are alive, what made them, and where.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { leaks, memory, trackLeaks } from '../../src/device.js';
import { Tensor } from '../../src/index.js';
import { ones } from '../../src/ops/creation.js';
import { sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { blobs, mlp } from '../support/blobs.js';
import { refuses } from '../support/refuses.js';

const here = fileURLToPath(import.meta.url);
after(() => trackLeaks(false));

/** The line of this file that called this function. */
function line(): number {
  return Number(/:(\d+):\d+\)?$/m.exec(new Error().stack?.split('\n')[2] ?? '')?.[1]);
}

test('leaks names op, shape, bytes and the line of each live tensor', () => {
  using before = ones([2]);
  trackLeaks();
  const made: [Tensor, string, number][] = [
    [tensor([[1, 2, 3]]), 'tensor', line()],
    [ones([3, 4]), 'fill', line()],
    [tensor(Uint8Array.of(1, 2)), 'tensor', line()],
  ];
  const [a, b] = [made[0]?.[0], made[1]?.[0]];
  assert.ok(a && b);
  made.push([a.matmul(b), 'matmul', line()]);
  made.push([b.relu(), 'relu', line()]);
  made.push([b.requireGrad().relu(), 'relu', line()]);
  made.push([before.detach(), 'view', line()]);
  scope(() => {
    a.matmul(b);
  });
  const found = leaks();
  assert.deepEqual(
    found.map(({ op, shape, dtype, bytes }) => [op, shape, dtype, bytes]),
    made.map(([each, op]) => [op, each.shape, each.dtype, each.byteLength]),
  );
  found.forEach(({ at }, i) => {
    const place = /^(.*):(\d+):\d+$/.exec(at ?? '');
    assert.deepEqual([place?.[1], Number(place?.[2])], [here, made[i]?.[2]]);
  });
  for (const [each] of made) each.dispose();
  assert.deepEqual(leaks(), []);
});

test('a training run leaves nothing in the list but its model', async () => {
  trackLeaks();
  const model = mlp();
  const data = blobs(64, 1).batch(16);
  {
    await using run = train.fit(model, { data, validation: data, epochs: 1, optimizer: sgd({ lr: 0.1 }) });
    await run.result;
  }
  const names = new Map(leaks().map((leak) => [String(leak.shape), leak]));
  assert.deepEqual(new Set(names.keys()), new Set([...model.namedParameters()].map(([, { shape }]) => String(shape))));
  for (const { at } of names.values()) assert.ok(at === null || !at.includes('/src/'), at ?? '');
  model.dispose();
  assert.deepEqual(leaks(), []);
});

test('tensors from before, and those that are collected, are not in the list; without tracking there is none', async () => {
  trackLeaks(false);
  refuses(leaks, 'E_ARGUMENT', /leaks: expected trackLeaks\(\) before/);
  using old = ones([1]);
  trackLeaks();
  assert.deepEqual(leaks(), []);
  using kept = old.relu();
  trackLeaks();
  assert.deepEqual(leaks(), [], 'begins anew');
  assert.ok(memory().tensors >= 2);
  assert.ok(kept instanceof Tensor);
});
