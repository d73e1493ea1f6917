// capture(fn): what a plan holds for, and what it gives back.
import assert from 'node:assert/strict';
import * as autograd from '../../src/autograd/index.js';
import { capture, type Num, type Scalar } from '../../src/capture/index.js';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { create, sgd } from '../../src/optim/index.js';
import { keep, scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { refuses } from '../support/refuses.js';
import { balanced, batchOf, type One, sameBits, trainable, valuesOf } from './setup.js';

balanced('replays what was recorded, on other values', () => {
  let runs = 0;
  using fn = capture(
    ({ x }: One) => {
      runs++;
      return ops.add(ops.mul(x, x), x);
    },
    { fuse: false },
  );
  assert.deepEqual(valuesOf(fn, [1, 2, 3]), [2, 6, 12]);
  assert.deepEqual(valuesOf(fn, [4, 5, 6]), [20, 30, 42]);
  assert.deepEqual(valuesOf(fn, [-1, 0, 1]), [0, 0, 2]);
  assert.equal(runs, 1);
  assert.deepEqual(valuesOf(fn, [7]), [56]);
  assert.deepEqual(valuesOf(fn, [0, 0, 2]), [0, 0, 6]);
  assert.equal(runs, 2);
  assert.deepEqual(
    fn.plans.map(({ inputs, ops: count, temporaries }) => [inputs, count, temporaries]),
    [
      ['x: f32 [3]', 2, 1],
      ['x: f32 [1]', 2, 1],
    ],
  );
  assert.match(fn.explain(), /plan for x: f32 \[3\]: 2 ops, 6 flops/);
});

balanced('keeps as many plans as it may, the ones used last', () => {
  let runs = 0;
  using fn = capture(
    ({ x }: One) => {
      runs++;
      return ops.neg(x);
    },
    { plans: 2 },
  );
  for (const length of [1, 2, 1, 3, 1]) valuesOf(fn, Array<number>(length).fill(1));
  assert.equal(runs, 3);
  assert.deepEqual(
    fn.plans.map(({ inputs }) => inputs),
    ['x: f32 [1]', 'x: f32 [3]'],
  );
  valuesOf(fn, [1, 2]);
  assert.equal(runs, 4);
  refuses(() => capture(({ x }: One) => x, { plans: 0 }), 'E_ARGUMENT', /plans to be an integer of at least 1/);
});

balanced('scalars are bound anew by each call, other numbers are those of the recording', () => {
  let outside = 1;
  using fn = capture(({ x }: One, { by }: { by: Scalar }) =>
    ops.add(ops.dropout(x, 0.5, { seed: 1, counter: by }), ops.mul(x, outside)),
  );
  const ones = Array<number>(64).fill(1);
  const expected = (counter: number): number[] =>
    scope(() => {
      const x = tensor(ones);
      return [...ops.add(ops.dropout(x, 0.5, { seed: 1, counter }), x).dataSync()];
    });
  assert.deepEqual(
    valuesOf((inputs) => fn(inputs, { by: 3 }), ones),
    expected(3),
  );
  outside = 2;
  assert.deepEqual(
    valuesOf((inputs) => fn(inputs, { by: 4 }), ones),
    expected(4),
  );
  assert.notDeepEqual(expected(3), expected(4));
  using x = tensor(ones);
  refuses(() => fn({ x }, { by: Number.NaN }), 'E_ARGUMENT', /expected by to be a number, received NaN/);
  refuses(() => fn({ x }, {} as never), 'E_ARGUMENT', /expected the scalars of the first call \[by\], received \[\]/);
  refuses(() => fn({ x }, { to: 1 } as never), 'E_ARGUMENT', /received \[to\]/);
  // A name that every object has is none of the scalars.
  refuses(() => fn({ x }, { toString: 1 } as never), 'E_ARGUMENT', /received \[toString\]/);
  refuses(() => fn({ x }, null as never), 'E_ARGUMENT', /expected scalars by name in an object, received null/);
  refuses(() => fn(null as never, { by: 1 }), 'E_ARGUMENT', /expected inputs by name in an object, received null/);
  refuses(() => capture(3 as never), 'E_ARGUMENT', /expected a function, received 3/);
});

balanced(
  'results keep their form, are new each time and off the tape; inputs and outside tensors come back as views',
  () => {
    using weight = tensor([10, 20]).requireGrad();
    using fn = capture(({ x }: One) => {
      const y = ops.mul(x, weight);
      return { list: [y, ops.reshape(y, [2, 1])], same: x, part: x.view([1], 1), weight, name: 'two' };
    });
    for (const values of [
      [1, 2],
      [3, 4],
      [5, 6],
    ]) {
      scope(() => {
        const x = tensor(values);
        const { list, same, part, weight: outside, name } = fn({ x });
        const expected = values.map((value, i) => value * 10 * (i + 1));
        assert.deepEqual(
          list.map((each) => [[...each.dataSync()], each.shape, each.requiresGrad]),
          [
            [expected, [2], false],
            [expected, [2, 1], false],
          ],
        );
        assert.deepEqual([...same.dataSync()], values);
        assert.notEqual(same, x);
        assert.deepEqual([...part.dataSync()], values.slice(1));
        assert.deepEqual([...outside.dataSync()], [10, 20]);
        assert.equal(name, 'two');
      });
    }
    using x = tensor([1, 1]);
    const first = fn({ x });
    const second = fn({ x });
    assert.notEqual(first.list[0]?.storage, second.list[0]?.storage);
    for (const { list, same, part, weight: outside } of [first, second])
      for (const each of [...list, same, part, outside]) each.dispose();
  },
);

balanced('a learning rate, a loss scale and what a tensor is multiplied by can be scalars', () => {
  const make = () => {
    const model = nn.sequential([nn.dense({ units: 2 })]);
    model.build([3], 1);
    return { model, optimizer: create(sgd({ lr: 1, momentum: 0.9 }), model.namedParameters()) };
  };
  const [a, b] = [make(), make()];
  const stepOf =
    ({ model, optimizer }: typeof a) =>
    ({ x }: One, { lr, scale, unscale }: { lr: Num; scale: Num; unscale: Num }): Tensor => {
      const y = model.forward(x, nn.evaluation);
      const loss = ops.mean(ops.add(ops.square(y), ops.pow(scale, y)));
      optimizer.zeroGrad();
      autograd.backward(ops.where(ops.greater(loss, -1), ops.mul(loss, scale), scale));
      optimizer.step(undefined, { lr, gradScale: unscale });
      return ops.sub(scale, loss);
    };
  using step = capture((inputs: One, scalars: { lr: Scalar; scale: Scalar; unscale: Scalar }) =>
    stepOf(b)(inputs, scalars),
  );
  for (let i = 0; i < 4; i++) {
    scope(() => {
      const x = ops.normal([4, 3], { seed: i });
      const scalars = { lr: 0.1 / (i + 1), scale: 2 ** i + 0.5, unscale: 1 / (2 ** i + 0.5) };
      const [expected, actual] = [stepOf(a)({ x }, scalars), step({ x }, scalars)];
      sameBits(actual.dataSync() as Float32Array, expected.dataSync() as Float32Array, `loss ${i}`);
      sameBits(b.optimizer.arena.params.dataSync(), a.optimizer.arena.params.dataSync(), `weights ${i}`);
    });
  }
  assert.equal(step.plans.length, 1);
  for (const { model, optimizer } of [a, b]) {
    optimizer.dispose();
    model.dispose();
  }
});

balanced('a function that disposes what captures it runs to its end, once', () => {
  const fn = capture(({ x }: One) => {
    fn.dispose();
    return ops.add(x, tensor([1]));
  });
  assert.deepEqual(valuesOf(fn, [1]), [2]);
  refuses(() => valuesOf(fn, [1]), 'E_DISPOSED', /live captured function/);
});

balanced('empty results are new each time, too', () => {
  using fn = capture(({ x }: One) => [
    ops.zeros([0]),
    ops.neg(x.view([0])),
    ops.matmul(ops.zeros([2, 0]), ops.zeros([0, 3])),
    ops.concat([x.view([0]), x.view([0])], 0),
  ]);
  for (let i = 0; i < 3; i++) {
    using x = tensor([1, 2]);
    const results = fn({ x });
    assert.deepEqual(
      results.map((each) => [each.shape, [...each.dataSync()]]),
      [
        [[0], []],
        [[0], []],
        [
          [2, 3],
          [0, 0, 0, 0, 0, 0],
        ],
        [[0], []],
      ],
    );
    for (const each of results) each.dispose();
  }
});

balanced('inputs may be parts of larger tensors, and share memory or not', () => {
  using fn = capture(({ a, b }: { a: Tensor; b: Tensor }) => ops.sub(a, b));
  const difference = (a: Tensor, b: Tensor): number[] => scope(() => [...fn({ a, b }).dataSync()]);
  using all = tensor([1, 2, 3, 4, 5, 6]);
  using left = all.view([2], 0);
  using middle = all.view([2], 2);
  using other = tensor([10, 10]);
  assert.deepEqual(difference(left, left), [0, 0]);
  assert.deepEqual(difference(left, middle), [-2, -2]);
  assert.deepEqual(difference(middle, left), [2, 2]);
  assert.deepEqual(difference(other, left), [9, 8]);
  assert.deepEqual(difference(middle, middle), [0, 0]);
});

balanced('constants from host values are kept, and what outlives the function is written by each replay', () => {
  let kept: Tensor | undefined;
  using fn = capture(({ x }: One) => {
    const y = ops.add(x, tensor([100, 200]));
    kept ??= keep(ops.neg(y));
    return y;
  });
  for (const values of [
    [1, 2],
    [3, 4],
    [5, 6],
  ]) {
    assert.deepEqual(valuesOf(fn, values), [100 + (values[0] ?? 0), 200 + (values[1] ?? 0)]);
    assert.deepEqual([...(kept?.dataSync() ?? [])], [-100 - (values[0] ?? 0), -200 - (values[1] ?? 0)]);
  }
  kept?.dispose();
});

balanced('another state of the host leads to another plan, and back', async () => {
  using net = trainable(
    nn.sequential([nn.dense({ units: 3 })]),
    [2],
    sgd({ lr: 0.1, momentum: 0.9, ema: { decay: 0.5 } }),
  );
  using step = capture((inputs: Parameters<typeof net.step>[0]) => net.step(inputs, 0));
  using infer = capture(({ x }: One) => net.model.forward(x, nn.evaluation));
  using batch = batchOf(4, [2], 3, 1);
  const train = (): void => scope(() => void step(batch));
  const outputs = (): Float32Array => scope(() => infer({ x: batch.x }).dataSync()) as Float32Array;
  const eager = (): Float32Array => scope(() => net.model.forward(batch.x, nn.evaluation).dataSync()) as Float32Array;
  const same = (): void => sameBits(outputs(), eager(), 'inference');

  same();
  for (let i = 0; i < 3; i++) train();
  same();
  // Averaged weights are other memory.
  const raw = outputs();
  net.optimizer.withEma(() => {
    same();
    assert.notDeepEqual(outputs(), raw);
  });
  same();
  assert.equal(infer.plans.length, 2);

  // A frozen parameter has no gradient.
  assert.equal(step.plans.length, 1);
  const bias = (): number[] =>
    [...net.model.namedParameters()].flatMap(([name, each]) => (/bias/.test(name) ? [...each.dataSync()] : []));
  const before = bias();
  net.optimizer.setFrozen(/bias/, true);
  train();
  train();
  assert.deepEqual(bias(), before);
  // The first plan after the change clears what is left of the last gradient.
  assert.equal(step.plans.length, 3);
  net.optimizer.setFrozen(/bias/, false);
  train();
  assert.notDeepEqual(bias(), before);
});

balanced('gradients add up where they would', () => {
  const make = () => {
    const model = nn.sequential([nn.dense({ units: 2 })]);
    model.build([3], 1);
    return { model, optimizer: create(sgd({ lr: 0.1 }), model.namedParameters()) };
  };
  const [a, b] = [make(), make()];
  const backwardOf =
    ({ model }: typeof a) =>
    ({ x }: One) => {
      const loss = ops.mean(ops.square(model.forward(x, nn.evaluation)));
      autograd.backward(loss);
      return loss;
    };
  using accumulate = capture(backwardOf(b));
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 3; i++) {
      using x = ops.normal([4, 3], { seed: 10 * round + i });
      scope(() => void backwardOf(a)({ x }));
      accumulate({ x }).dispose();
      sameBits(b.optimizer.arena.grads.dataSync(), a.optimizer.arena.grads.dataSync(), `gradients of ${round}, ${i}`);
    }
    for (const { optimizer } of [a, b]) {
      optimizer.step();
      optimizer.zeroGrad();
    }
    sameBits(b.optimizer.arena.params.dataSync(), a.optimizer.arena.params.dataSync(), `weights of ${round}`);
  }
  assert.equal(accumulate.plans.length, 2);
  for (const { model, optimizer } of [a, b]) {
    optimizer.dispose();
    model.dispose();
  }
});

balanced('gradients of leaves without an optimizer, added up and dropped', () => {
  using leaf = tensor([1, 2]).requireGrad();
  using backward = capture(({ x }: One) => autograd.backward(ops.sum(ops.mul(x, leaf))));
  const gradient = (): number[] => [...(leaf.grad?.dataSync() ?? [])];
  for (let round = 1; round < 4; round++) {
    using x = tensor([round, -round]);
    for (let times = 1; times < 4; times++) {
      backward({ x });
      assert.deepEqual(gradient(), [times * round, -times * round]);
    }
    leaf.grad?.dispose();
    leaf.grad = null;
  }
});

balanced('a graph of before notices that a replay has changed a value it needs', () => {
  using net = trainable(nn.sequential([nn.dense({ units: 2 })]), [2], sgd({ lr: 0.1 }));
  using step = capture((inputs: Parameters<typeof net.step>[0]) => net.step(inputs, 0));
  using batch = batchOf(3, [2], 2, 1);
  const train = (): void => scope(() => void step(batch));
  train();
  scope(() => {
    const x = batch.x.detach().requireGrad();
    const y = ops.sum(ops.square(net.model.forward(x, nn.evaluation)));
    train();
    refuses(() => autograd.backward(y), 'E_ARGUMENT', /modified in place/);
  });
});

balanced('a captured function within another is a part of it', () => {
  using inner = capture(({ x }: One, { c }: { c: Scalar }) => ops.dropout(x, 0.5, { seed: 2, counter: c }));
  using outer = capture(({ x }: One, { c }: { c: Scalar }) => ops.neg(inner({ x }, { c })));
  const ones = Array<number>(32).fill(1);
  const expected = (counter: number): number[] =>
    scope(() => [...ops.neg(ops.dropout(tensor(ones), 0.5, { seed: 2, counter })).dataSync()]);
  for (const c of [1, 2, 3])
    assert.deepEqual(
      valuesOf((inputs) => outer(inputs, { c }), ones),
      expected(c),
    );
  assert.deepEqual([outer.plans.length, inner.plans.length], [1, 0]);
});

balanced('two updates in one step', () => {
  const make = () => trainable(nn.sequential([nn.dense({ units: 2 })]), [2], sgd({ lr: 0.1, momentum: 0.9 }));
  using eager = make();
  using replayed = make();
  const twice = (net: typeof eager) => (inputs: Parameters<typeof net.step>[0]) => {
    net.step(inputs, 0);
    return net.step(inputs, 1);
  };
  using step = capture(twice(replayed));
  for (let i = 0; i < 4; i++) {
    using batch = batchOf(3, [2], 2, i);
    scope(() => {
      const [ours, theirs] = [step(batch), twice(eager)(batch)];
      sameBits(ours.loss.dataSync() as Float32Array, theirs.loss.dataSync() as Float32Array, `loss ${i}`);
    });
  }
  assert.equal(replayed.optimizer.stepCount, 8);
});

balanced('a disposed parameter is told as it would be', () => {
  const weight = tensor([1, 2]);
  using fn = capture(({ x }: One) => ops.mul(x, weight));
  assert.deepEqual(valuesOf(fn, [3, 4]), [3, 8]);
  weight.dispose();
  refuses(() => valuesOf(fn, [3, 4]), 'E_DISPOSED');
});
