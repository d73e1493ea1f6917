// Rates that change by schedule or by hand, clipping by value, and norms on request.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnnealError } from '../../src/errors.js';
import { adam, create, type OptimizerSpec, sgd } from '../../src/optim/index.js';
import { linear, step as stepwise } from '../../src/schedule/index.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';

type Parameters = Map<string, Tensor<'f32'>>;

function begin(spec: OptimizerSpec) {
  const all: Parameters = new Map([
    ['a/kernel', tensor([1, 2, 3, 4], [2, 2]).requireGrad()],
    ['a/bias', tensor([10, 20]).requireGrad()],
    ['frozen', tensor([5]).requireGrad()],
  ]);
  const optimizer = create(spec, all);
  const step = (gradient = 1, options?: { gradScale: number }): Record<string, number> => {
    const before = new Map([...all].map(([name, parameter]) => [name, parameter.dataSync()[0] ?? 0]));
    for (const [name, parameter] of all) {
      if (name !== 'frozen') parameter.grad = tensor(new Array(parameter.size).fill(gradient), parameter.shape);
    }
    optimizer.step(undefined, options);
    // What the first item of each lost
    return Object.fromEntries([...all].map(([name, p]) => [name, (before.get(name) ?? 0) - (p.dataSync()[0] ?? 0)]));
  };
  return { all, optimizer, step, [Symbol.dispose]: () => optimizer.dispose() };
}

function refuses(call: () => unknown, message: RegExp): void {
  assert.throws(call, (error: unknown) => error instanceof AnnealError && message.test(error.message));
}

test('rates of groups and weight decay follow their schedules', () => {
  using run = begin(
    sgd({
      lr: 1,
      weightDecay: linear({ from: 0.5, steps: 2 }),
      groups: [{ match: /bias/, lrScale: stepwise({ from: 2, gamma: 0.25, every: 2 }) }],
    }),
  );
  // kernel: 1 + weightDecay * p
  assert.deepEqual(run.step(), { 'a/kernel': 1.5, 'a/bias': 2, frozen: 0 });
  assert.deepEqual(run.step(), { 'a/kernel': 1 + 0.25 * -0.5, 'a/bias': 2, frozen: 0 });
  assert.deepEqual(run.step(), { 'a/kernel': 1, 'a/bias': 0.5, frozen: 0 });
});

test('lrFactor multiplies every rate, scaleRate those that match', async () => {
  using run = begin(sgd({ lr: 1, groups: [{ match: /bias/, lrScale: 2 }] }));
  const { optimizer } = run;
  optimizer.lrFactor = 0.5;
  assert.equal(optimizer.lr(), 0.5);
  assert.deepEqual(run.step(), { 'a/kernel': 0.5, 'a/bias': 1, frozen: 0 });
  optimizer.scaleRate(/kernel/, 0.5);
  optimizer.scaleRate(/^a/, 0.5);
  assert.deepEqual(run.step(), { 'a/kernel': 0.125, 'a/bias': 0.5, frozen: 0 });
  assert.deepEqual(optimizer.rateFactors, { 'a/kernel': 0.25, 'a/bias': 0.5 });
  assert.deepEqual(optimizer.describe(), {
    kind: 'sgd',
    step: 2,
    lrFactor: 0.5,
    rateFactors: { 'a/kernel': 0.25, 'a/bias': 0.5 },
    options: { lr: 1, groups: [{ match: '/bias/', lrScale: 2 }] },
  });

  const state = await optimizer.stateDict();
  using resumed = begin(sgd({ lr: 1, groups: [{ match: /bias/, lrScale: 2 }] }));
  resumed.step();
  resumed.optimizer.loadStateDict(state);
  assert.deepEqual(await resumed.optimizer.stateDict(), state);
  assert.deepEqual(resumed.step(), run.step());
  const { lrFactor: _, rateFactors: __, ...old } = state;
  resumed.optimizer.loadStateDict(old);
  assert.deepEqual(resumed.step(), { 'a/kernel': 1, 'a/bias': 2, frozen: 0 });
});

test('a rate given for a step is taken as it is', () => {
  using run = begin(sgd({ lr: 1 }));
  run.optimizer.lrFactor = 0.5;
  const parameter = run.all.get('frozen');
  assert.ok(parameter);
  parameter.grad = tensor([1]);
  run.optimizer.step(0, { lr: 3 });
  assert.equal(parameter.itemSync(), 2);
});

test('gradients are clipped by value after gradScale and before the norm', async () => {
  using run = begin(sgd({ lr: 1, clipValue: 0.25 }));
  assert.equal(run.step(-3)['a/kernel'], -0.25);
  assert.equal(run.step(0.5, { gradScale: 0.25 })['a/kernel'], 0.125);
  assert.equal(run.step(8, { gradScale: 0.25 })['a/kernel'], 0.25);
  run.optimizer.clipGradNorm(0.1);
  const { 'a/kernel': lost = 0 } = run.step(100);
  // six items of 0.25 have the norm sqrt(6) / 4
  assert.ok(Math.abs(lost - (0.25 * 0.1) / (Math.sqrt(6) / 4)) < 1e-6);
  assert.ok(Math.abs((await run.optimizer.gradNorm()) - Math.sqrt(6) / 4) < 1e-6);
});

test('clipGradValue applies to one step', () => {
  using run = begin(sgd({ lr: 1 }));
  run.optimizer.clipGradValue(2);
  assert.equal(run.step(3)['a/kernel'], 2);
  assert.equal(run.step(3)['a/kernel'], 3);
});

test('norms of gradients and weights, whether or not a step clips', async () => {
  using run = begin(sgd({ lr: 1, groups: [{ match: ['frozen'], frozen: true }] }));
  const { optimizer } = run;
  assert.ok(Number.isNaN(await optimizer.gradNorm()));
  assert.deepEqual(await optimizer.gradNorms(), {});
  assert.deepEqual(await optimizer.weightNorms(), {
    'a/kernel': Math.sqrt(30),
    'a/bias': Math.sqrt(500),
    frozen: 5,
  });
  run.step(4, { gradScale: 0.5 });
  assert.equal(await optimizer.gradNorm(), 2 * Math.sqrt(6));
  assert.deepEqual(await optimizer.gradNorms(), { 'a/kernel': 4, 'a/bias': 2 * Math.sqrt(2), frozen: 0 });
  optimizer.zeroGrad();
  const kernel = run.all.get('a/kernel');
  assert.ok(kernel);
  kernel.grad = tensor([3, 0, 0, 4], [2, 2]);
  optimizer.step();
  assert.equal(await optimizer.gradNorm(), 5);
  assert.deepEqual(await optimizer.gradNorms(), { 'a/kernel': 5, 'a/bias': 0, frozen: 0 });
});

test('the table is written only where a value of it has changed', () => {
  const counted = (
    spec: OptimizerSpec,
    steps: number,
    between?: (t: number, run: ReturnType<typeof begin>) => void,
  ) => {
    using run = begin(spec);
    const { table } = run.optimizer.arena;
    const write = table.write.bind(table);
    let writes = 0;
    table.write = (values) => {
      writes++;
      write(values);
    };
    for (let t = 0; t < steps; t++) {
      between?.(t, run);
      run.step();
    }
    return writes;
  };
  assert.equal(counted(sgd({ lr: linear({ from: 1, steps: 5 }), weightDecay: 0.1 }), 6), 1);
  assert.equal(counted(sgd({ lr: 1, weightDecay: stepwise({ from: 1, gamma: 0.5, every: 3 }) }), 9), 3);
  assert.equal(
    counted(sgd({ lr: 1 }), 6, (t, { optimizer }) => {
      if (t === 2) optimizer.scaleRate(/kernel/, 0.5);
      if (t === 4) optimizer.lrFactor = 0.5;
    }),
    2,
  );
});

test('bad rates are refused by name', () => {
  refuses(() => sgd({ lr: 1, clipValue: 0 }), /sgd: expected clipValue to be positive, received 0/);
  refuses(() => sgd({ lr: 1, weightDecay: Number.NaN }), /sgd: expected weightDecay to be a number of at least 0/);
  refuses(() => adam({ lr: 1, betas: [linear({ from: 0.9, steps: 3 }), 1] }), /adam: expected betas\[1\] in \[0, 1\)/);
  refuses(
    () => begin(sgd({ lr: 1, groups: [{ match: /a/, lrScale: -1 }] })),
    /sgd: expected lrScale of group 0 to be a number of at least 0/,
  );
  using run = begin(sgd({ lr: 1 }));
  const { optimizer } = run;
  refuses(() => optimizer.clipGradValue(0), /clipGradValue: expected a positive value, received 0/);
  refuses(() => optimizer.scaleRate(/none/, 1), /scaleRate: expected \/none\/ to match a parameter, matched none/);
  refuses(() => optimizer.scaleRate(/a/, Number.NaN), /scaleRate: expected factor to be a number of at least 0/);
  refuses(() => {
    optimizer.lrFactor = -1;
  }, /lrFactor: expected the factor to be a number of at least 0/);
});

test('a state with factors that do not fit is refused', async () => {
  using run = begin(sgd({ lr: 1, ema: { decay: 0.5 } }));
  const state = await run.optimizer.stateDict();
  const load = (changes: object) => () => run.optimizer.loadStateDict({ ...state, ...changes });
  refuses(load({ lrFactor: -1 }), /loadStateDict: expected lrFactor to be a number of at least 0, received -1/);
  refuses(load({ rateFactors: { b: 1 } }), /expected no rate of 'b', received one/);
  refuses(load({ rateFactors: { 'a/bias': Number.NaN } }), /expected the factor of 'a\/bias' to be a number/);
  refuses(load({ averaging: { weight: Number.NaN, count: 0 } }), /expected averaging\.weight to be a number/);
});
