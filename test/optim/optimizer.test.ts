import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backward } from '../../src/autograd/backward.js';
import { AnnealError, type ErrorCode } from '../../src/errors.js';
import { add, mul, sub } from '../../src/ops/elementwise/elementwise.js';
import { sum } from '../../src/ops/reduce/reduce.js';
import { adam, adamw, create, type Optimizer, rmsprop, sgd } from '../../src/optim/index.js';
import { linear } from '../../src/schedule/index.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { formula } from '../support/formula.js';

type Parameters = Map<string, Tensor<'f32'>>;

/** A matrix of 6, a bias of 3 and a scalar: segments with padding between them. */
function parameters(): Parameters {
  return new Map([
    ['a/kernel', tensor([1, 2, 3, 4, 5, 6], [2, 3]).requireGrad()],
    ['a/bias', tensor([1, -1, 2]).requireGrad()],
    ['scale', tensor(4).requireGrad()],
  ]);
}

function setGradients(all: Parameters, value: number | ((name: string) => number | null)): void {
  for (const [name, parameter] of all) {
    const gradient = typeof value === 'number' ? value : value(name);
    if (gradient !== null) parameter.grad = tensor(new Float32Array(parameter.size).fill(gradient), parameter.shape);
  }
}

function values(all: ReadonlyMap<string, Tensor<'f32'>>): Record<string, number[]> {
  return Object.fromEntries([...all].map(([name, parameter]) => [name, [...parameter.dataSync()]]));
}

function refuses(call: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(call, (error: unknown) => {
    assert.ok(error instanceof AnnealError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test('the arena keeps values, pads segments to 16 floats and ties shared parameters', () => {
  const all = parameters();
  const kernel = all.get('a/kernel');
  assert.ok(kernel);
  all.set('tied', kernel);
  using optimizer = create(sgd({ lr: 1 }), all);
  assert.deepEqual(
    optimizer.arena.segments.map(({ name, begin, end }) => [name, begin, end]),
    [
      ['a/kernel', 0, 6],
      ['a/bias', 16, 19],
      ['scale', 32, 33],
    ],
  );
  assert.equal(optimizer.arena.size, 48);
  assert.deepEqual(values(all)['a/kernel'], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(values(all).scale, [4]);
  assert.equal(kernel.storage, all.get('a/bias')?.storage);
});

test('weight decay spares parameters of rank 0 and 1', () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 0.5, weightDecay: 0.5 }), all);
  setGradients(all, 0);
  optimizer.step();
  assert.deepEqual(values(all), { 'a/kernel': [0.75, 1.5, 2.25, 3, 3.75, 4.5], 'a/bias': [1, -1, 2], scale: [4] });
});

test('groups: the first match counts, by pattern, names or function', () => {
  const all = parameters();
  const spec = sgd({
    lr: 1,
    groups: [
      { match: /^a\/b/g, lrScale: 0.5, weightDecay: 0.25 },
      { match: ['scale'], frozen: true },
      { match: (name, parameter) => name.startsWith('a/') && parameter.rank === 2, lrScale: 2 },
      { match: /./, lrScale: 100 },
    ],
  });
  using optimizer = create(spec, all);
  setGradients(all, 1);
  optimizer.step();
  // bias: p - 0.5 (1 + 0.25 p)
  assert.deepEqual(values(all), { 'a/kernel': [-1, 0, 1, 2, 3, 4], 'a/bias': [0.375, -1.375, 1.25], scale: [4] });
});

test('a parameter without a gradient stays as it is, and its old gradient is not used again', () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 1, momentum: 0.5, clipNorm: 1000 }), all);
  setGradients(all, 1);
  optimizer.step();
  optimizer.zeroGrad();
  setGradients(all, (name) => (name === 'scale' ? 2 : null));
  optimizer.step();
  assert.deepEqual(values(all), { 'a/kernel': [0, 1, 2, 3, 4, 5], 'a/bias': [0, -2, 1], scale: [0.5] });
});

test('the clipped norm is that of this step alone', async () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 1, clipNorm: 2 }), all);
  setGradients(all, 10);
  optimizer.step();
  assert.ok(Math.abs((await optimizer.gradNorm()) - Math.sqrt(1000)) < 1e-3);
  optimizer.zeroGrad();
  setGradients(all, (name) => (name === 'scale' ? 8 : null));
  const before = all.get('scale')?.itemSync() ?? Number.NaN;
  optimizer.step();
  assert.equal(await optimizer.gradNorm(), 8);
  assert.ok(Math.abs((all.get('scale')?.itemSync() ?? 0) - (before - 2)) < 1e-5);
});

test('clipGradNorm applies to one step, after gradScale', async () => {
  const all = new Map([['w', tensor([3, 4]).requireGrad()]]);
  using optimizer = create(sgd({ lr: 1 }), all);
  for (const expected of [-1, -11]) {
    all.get('w')!.grad = tensor([0, 40]);
    if (expected === -1) optimizer.clipGradNorm(5);
    optimizer.step(undefined, { gradScale: 0.25 });
    assert.ok(Math.abs((all.get('w')?.dataSync()[1] ?? 0) - expected) < 1e-5);
    optimizer.zeroGrad();
  }
  assert.equal(await optimizer.gradNorm(), 10);
});

test('the rate follows its schedule, by the update count or the given step', () => {
  const all = new Map([['w', tensor([10]).requireGrad()]]);
  using optimizer = create(sgd({ lr: linear({ from: 1, steps: 4 }) }), all);
  const step = (t?: number): number => {
    setGradients(all, 1);
    optimizer.step(t);
    return all.get('w')?.itemSync() ?? Number.NaN;
  };
  assert.equal(optimizer.lr(), 1);
  assert.deepEqual([step(), step(), step(3), step(4)], [9, 8.25, 8, 8]);
  assert.equal(optimizer.stepCount, 4);
  assert.deepEqual(optimizer.schedule, { kind: 'linear', params: { from: 1, end: 0, steps: 4 } });
});

test('update ratios are |lr d| / |p before|', async () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 0.5, groups: [{ match: ['scale'], frozen: true }] }), all);
  assert.deepEqual(await optimizer.updateRatios(), {});
  setGradients(all, 2);
  optimizer.step();
  const ratios = await optimizer.updateRatios();
  assert.ok(Math.abs((ratios['a/kernel'] ?? 0) - Math.sqrt(6 / 91)) < 1e-6);
  assert.ok(Math.abs((ratios['a/bias'] ?? 0) - Math.sqrt(3 / 6)) < 1e-6);
  assert.equal(ratios.scale, 0);
});

test('withEma swaps weights without copying, and back, also when it fails or is asynchronous', async () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 1, ema: { decay: 0.75 } }), all);
  setGradients(all, 1);
  optimizer.step();
  const raw = values(all);
  const average = values(optimizer.emaParameters());
  assert.deepEqual(average['a/bias'], [0.75, -1.25, 1.75]);
  assert.deepEqual(
    optimizer.withEma(() => values(all)),
    average,
  );
  assert.deepEqual(values(all), raw);
  assert.throws(() =>
    optimizer.withEma(() => {
      throw new Error('inside');
    }),
  );
  assert.deepEqual(values(all), raw);
  const pending = optimizer.withEma(async () => {
    await Promise.resolve();
    return values(all);
  });
  refuses(() => optimizer.step(), 'E_ARGUMENT', /their average is swapped in/);
  refuses(() => optimizer.withEma(() => 0), 'E_ARGUMENT', /withEma/);
  assert.deepEqual(await pending, average);
  assert.deepEqual(values(all), raw);
  optimizer.resetEma();
  assert.deepEqual(values(optimizer.emaParameters()), raw);
});

const specs = [
  sgd({ lr: 0.1, momentum: 0.9, dampening: 0.5, ema: { decay: 0.9 } }),
  adamw({ lr: 0.1, amsgrad: true, ema: { decay: 0.9 } }),
  rmsprop({ lr: 0.1, centered: true, momentum: 0.5, eps: 0.1 }),
];

function train(optimizer: Optimizer, all: Parameters, from: number, to: number): void {
  for (let t = from; t < to; t++) {
    let k = 0;
    for (const parameter of all.values()) {
      parameter.grad = tensor(formula(parameter.size, 100 * t + (parameter.rank === 0 ? 50 : k++)), parameter.shape);
    }
    optimizer.step();
    optimizer.zeroGrad();
  }
}

for (const spec of specs) {
  test(`${spec.kind} resumed from its state is bit-identical, in an arena of another layout`, async () => {
    const straight = parameters();
    using one = create(spec, straight);
    train(one, straight, 0, 3);
    const reading = one.stateDict();
    const weights = values(straight);
    train(one, straight, 3, 6); // the state is of the moment it was asked for
    const state = await reading;
    assert.equal(state.step, 3);

    const resumed = parameters();
    for (const [name, parameter] of resumed) parameter.write(weights[name] ?? []);
    using two = create(spec, [...resumed].reverse());
    two.loadStateDict(state);
    assert.equal(two.stepCount, 3);
    train(two, resumed, 3, 6);
    assert.deepEqual(values(resumed), values(straight));
    assert.deepEqual(await two.stateDict(), await one.stateDict());
  });
}

test('loadStateDict refuses what does not fit, before it writes', async () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 1, momentum: 0.5 }), all);
  const state = await optimizer.stateDict();
  const { 'momentum/scale': scale, ...others } = state.tensors;
  assert.ok(scale);
  refuses(() => optimizer.loadStateDict({ ...state, kind: 'adam' }), 'E_ARGUMENT', /expected the state of sgd/);
  refuses(() => optimizer.loadStateDict({ ...state, step: -1 }), 'E_ARGUMENT', /expected a step of at least 0/);
  refuses(() => optimizer.loadStateDict({ ...state, tensors: others }), 'E_ARGUMENT', /expected 'momentum\/scale'/);
  const extra = { ...state.tensors, 'ema/scale': scale };
  refuses(() => optimizer.loadStateDict({ ...state, tensors: extra }), 'E_ARGUMENT', /received ema\/scale/);
  const wrong = { ...state.tensors, 'momentum/scale': { ...scale, shape: [1] } };
  refuses(() => optimizer.loadStateDict({ ...state, tensors: wrong }), 'E_SHAPE', /of shape \[\], received \[1\]/);
});

test('frozen parameters can be released, and the reverse', () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 1, groups: [{ match: /a\//, frozen: true }] }), all);
  setGradients(all, 1);
  optimizer.step();
  assert.deepEqual(values(all), { 'a/kernel': [1, 2, 3, 4, 5, 6], 'a/bias': [1, -1, 2], scale: [3] });
  optimizer.zeroGrad();
  optimizer.setFrozen(['a/bias'], false);
  optimizer.setFrozen(/scale/, true);
  setGradients(all, 1);
  optimizer.step();
  assert.deepEqual(values(all), { 'a/kernel': [1, 2, 3, 4, 5, 6], 'a/bias': [0, -2, 1], scale: [3] });
  refuses(() => optimizer.setFrozen(/nothing/, true), 'E_ARGUMENT', /matched none/);
});

test('parameters outlive their optimizer, belong to one at a time, and can be given to the next', () => {
  const all = parameters();
  const first = create(sgd({ lr: 1 }), all);
  refuses(() => create(sgd({ lr: 1 }), all), 'E_ARGUMENT', /belongs to another optimizer/);
  setGradients(all, 1);
  first.step();
  first.dispose();
  first.dispose();
  refuses(() => first.step(), 'E_DISPOSED', /step: expected a live optimizer/);
  assert.equal(all.get('scale')?.grad, null);
  assert.deepEqual(values(all)['a/bias'], [0, -2, 1]);
  using second = create(adam({ lr: 0.5, eps: 0 }), all);
  setGradients(all, 3);
  second.step();
  assert.ok(Math.abs((all.get('scale')?.itemSync() ?? 0) - 2.5) < 1e-6);
});

test('backward writes gradients straight into the arena, and training finds a minimum', () => {
  const all = parameters();
  using optimizer = create(sgd({ lr: 0.1, momentum: 0.5 }), all);
  let last = Number.NaN;
  for (let t = 0; t < 60; t++) {
    last = scope(() => {
      optimizer.zeroGrad();
      // sum over all parameters of (p - 2)^2; each is used twice, so gradients add up in their slots
      let loss = tensor(0) as Tensor;
      for (const parameter of all.values()) {
        const distance = sub(parameter, tensor(2));
        loss = add(loss, sum(mul(distance, distance)));
      }
      backward(loss);
      for (const parameter of all.values()) assert.equal(parameter.grad?.storage, optimizer.arena.grads.storage);
      optimizer.step();
      return loss.itemSync();
    });
  }
  assert.ok(last < 1e-8, `loss ${last}`);
  for (const found of Object.values(values(all))) for (const value of found) assert.ok(Math.abs(value - 2) < 1e-4);
});

test('an optimizer made and used inside scopes survives them, and leaves no tensor behind', () => {
  const all = parameters();
  const before = liveTensors();
  const optimizer = scope(() => create(adam({ lr: 0.1, clipNorm: 1, ema: { decay: 0.9 } }), all));
  const held = liveTensors();
  for (let t = 0; t < 5; t++) {
    scope(() => {
      setGradients(all, 1);
      optimizer.step();
      optimizer.zeroGrad();
    });
  }
  assert.equal(liveTensors(), held);
  optimizer.dispose();
  assert.equal(liveTensors(), before);
});

test('describe gives options as JSON', () => {
  const spec = sgd({ lr: linear({ from: 1, steps: 4 }), momentum: 0.5, groups: [{ match: /b$/, frozen: true }] });
  using optimizer = create(spec, new Map([['b', tensor([1]).requireGrad()]]));
  assert.deepEqual(optimizer.describe(), {
    kind: 'sgd',
    step: 0,
    lrFactor: 1,
    rateFactors: {},
    options: {
      lr: { kind: 'linear', params: { from: 1, end: 0, steps: 4 } },
      momentum: 0.5,
      groups: [{ match: '/b$/', frozen: true }],
    },
  });
});

test('bad options are refused by name', () => {
  refuses(() => sgd({ lr: -1 }), 'E_ARGUMENT', /sgd: expected lr to be a number of at least 0, received -1/);
  refuses(() => sgd({ lr: Number.NaN }), 'E_ARGUMENT', /sgd: expected lr/);
  refuses(() => sgd({ lr: 1, nesterov: true }), 'E_ARGUMENT', /sgd: expected a momentum and no dampening/);
  refuses(() => sgd({ lr: 1, momentum: 0.5, dampening: 1.5 }), 'E_ARGUMENT', /sgd: expected dampening in \[0, 1\)/);
  refuses(() => sgd({ lr: 1, ema: { decay: 1.5 } }), 'E_ARGUMENT', /sgd: expected ema.decay/);
  refuses(() => sgd({ lr: 1, clipNorm: 0 }), 'E_ARGUMENT', /sgd: expected clipNorm to be positive/);
  refuses(() => adam({ lr: 1, betas: [1, 0.9] }), 'E_ARGUMENT', /adam: expected betas\[0\] in \[0, 1\), received 1/);
  refuses(() => adamw({ lr: 1, weightDecay: -1 }), 'E_ARGUMENT', /adamw: expected weightDecay/);
  refuses(() => rmsprop({ lr: 1, alpha: 1 }), 'E_ARGUMENT', /rmsprop: expected alpha/);
  refuses(() => create(sgd({ lr: 1 }), []), 'E_ARGUMENT', /expected one or more parameters/);
  const all = parameters();
  refuses(
    () => create(sgd({ lr: 1, groups: [{ match: /nope/ }] }), all),
    'E_ARGUMENT',
    /group 0 \(\/nope\/\) to match/,
  );
  using optimizer = create(sgd({ lr: 1 }), all);
  refuses(() => optimizer.emaParameters(), 'E_ARGUMENT', /expected an optimizer with ema or swa/);
  refuses(() => optimizer.clipGradNorm(-1), 'E_ARGUMENT', /expected a positive norm/);
});
