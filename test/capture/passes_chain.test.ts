// The pass that makes one op of elementwise chains: what it takes, what it leaves alone, and that results keep their bits.
import assert from 'node:assert/strict';
import * as autograd from '../../src/autograd/index.js';
import { capture } from '../../src/capture/index.js';
import * as ops from '../../src/ops/index.js';
import type { Num, Scalar } from '../../src/scalar.js';
import { scope } from '../../src/tensor/scope.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { compare, get, type Inputs, normal, opsOf } from './comparing.js';
import { balanced, sameBits } from './setup.js';

type Case = readonly [(at: (name: string) => Tensor) => Tensor[], readonly string[]];

async function check(cases: Readonly<Record<string, Case>>, shapes: Readonly<Record<string, readonly number[]>>) {
  for (const [name, [fn, expected]] of Object.entries(cases)) {
    const found = await compare((inputs: Inputs) => fn((key) => get(inputs, key)), normal(shapes));
    assert.deepEqual(found, expected, name);
  }
}

const shapes = { a: [5, 821], b: [5, 821], c: [5, 821], d: [5, 821], one: [1], row: [821], flat: [4105], other: [7] };

balanced('a chain is one op', async () => {
  await check(
    {
      'three ops': [(at) => [ops.relu(ops.add(ops.mul(at('a'), at('b')), at('c')))], ['mul+add+relu']],
      'scalars, on either side': [
        (at) => [ops.sub(1, ops.exp(ops.mul(ops.add(at('a'), 0.5), -2)))],
        ['add+mul+exp+sub'],
      ],
      'functions with constants of their own': [
        (at) => [ops.clip(ops.leakyRelu(ops.elu(at('a'), 0.5), 0.1), -0.2, 0.7)],
        ['elu+leaky_relu+clip'],
      ],
      'a single item for all': [(at) => [ops.tanh(ops.div(at('a'), ops.abs(at('one'))))], ['unary', 'div+tanh']],
      'other shapes of as many items': [
        (at) => [ops.add(ops.reshape(ops.neg(at('a')), [4105]), at('flat'))],
        ['neg+add'],
      ],
      'one value in both places': [
        (at) => {
          const t = ops.exp(at('a'));
          return [ops.mul(t, t)];
        },
        ['exp+mul'],
      ],
      'a tree': [
        (at) => [ops.add(ops.mul(at('a'), at('b')), ops.mul(at('c'), ops.square(at('d'))))],
        ['mul+square+mul+add'],
      ],
      'two chains': [(at) => [ops.neg(ops.exp(at('a'))), ops.neg(ops.exp(at('flat')))], ['exp+neg', 'exp+neg']],
    },
    shapes,
  );
});

balanced('what somebody else needs is stored', async () => {
  await check(
    {
      'a result on the way': [
        (at) => {
          const t = ops.mul(at('a'), at('b'));
          return [t, ops.relu(ops.add(t, at('c')))];
        },
        ['mul+add+relu'],
      ],
      'two ends of one value': [
        (at) => {
          const t = ops.exp(at('a'));
          return [ops.neg(t), ops.sqrt(t)];
        },
        ['exp+neg+sqrt'],
      ],
      'an op of another kind reads it': [
        (at) => {
          const t = ops.exp(at('a'));
          return [ops.sum(t), ops.neg(ops.mul(t, at('b')))];
        },
        ['exp+mul+neg', 'reduce'],
      ],
    },
    shapes,
  );
});

balanced('more steps, inputs or outputs than one op has are several ops', async () => {
  const many = (at: (name: string) => Tensor): Tensor[] => {
    let t = at('a');
    for (let i = 0; i < 19; i++) t = ops.add(t, i % 2 === 0 ? at('b') : at('c'));
    return [t];
  };
  const wide = (at: (name: string) => Tensor): Tensor[] => {
    let t = at('a');
    for (let i = 0; i < 6; i++) t = ops.mul(ops.add(t, at(`x${i}`)), at(`y${i}`));
    return [t];
  };
  const eight = Array.from({ length: 8 }, () => 'add').join('+');
  const names = [0, 1, 2, 3, 4, 5].flatMap((i) => [`x${i}`, `y${i}`]);
  await check({ steps: [many, [eight, eight, 'add+add+add']] }, { a: [300], b: [300], c: [300] });
  const found = await compare(
    (inputs) => wide((key) => get(inputs, key)),
    normal({ a: [300], ...Object.fromEntries(names.map((name) => [name, [300]])) }),
  );
  assert.deepEqual(found, ['add+mul+add+mul+add+mul+add', 'mul+add+mul+add+mul']);
});

balanced('what is not flat, not f32 or not the same size stays as it is', async () => {
  await check(
    {
      'a row for all rows': [(at) => [ops.exp(ops.add(at('a'), at('row')))], ['binary', 'unary']],
      'another size': [(at) => [ops.mul(ops.exp(at('one')), at('a'))], ['unary', 'binary']],
      'truth values': [
        (at) => [ops.cast(ops.greater(ops.mul(at('a'), at('b')), at('c')), 'f32')],
        ['binary', 'binary', 'cast'],
      ],
      'a part of a value': [
        (at) => [ops.neg(ops.slice(ops.exp(at('a')), [1, 0], [3, 821]))],
        ['unary', 'strided_copy', 'unary'],
      ],
      'nothing beside it': [(at) => [ops.exp(at('a')), ops.exp(at('b'))], ['unary', 'unary']],
    },
    shapes,
  );
});

balanced('an epilogue takes its activation first', async () => {
  await check(
    {
      'with a chain behind it': [
        (at) => [ops.neg(ops.square(ops.relu(ops.matmul(at('m'), at('w')))))],
        ['sgemm+unary', 'square+neg'],
      ],
      'or before it': [
        (at) => [ops.tanh(ops.matmul(ops.neg(ops.square(at('m'))), at('w')))],
        ['square+neg', 'sgemm+unary'],
      ],
    },
    { m: [5, 30], w: [30, 7] },
  );
});

balanced('nothing moves past what it depends on', async () => {
  await check(
    {
      // The sum needs the first op and the last one the sum: they cannot be one.
      'a reduction in between': [
        (at) => {
          const t = ops.exp(at('a'));
          return [ops.div(t, ops.sum(t))];
        },
        ['unary', 'reduce', 'binary'],
      ],
      'softmax by hand': [
        (at) => {
          const t = ops.exp(ops.sub(at('a'), ops.max(at('a'))));
          return [ops.log(ops.div(t, ops.sum(t)))];
        },
        ['reduce', 'sub+exp', 'reduce', 'div+log'],
      ],
    },
    shapes,
  );
});

balanced('nothing moves past what overwrites what it reads', async () => {
  // The op in between reads and writes the running mean that the others read.
  const around = (at: (name: string) => Tensor, last: (old: Tensor, mean: Tensor) => Tensor): Tensor[] => {
    const [mean, variance] = [ops.neg(at('mean')), ops.zeros([7])];
    const old = ops.exp(mean);
    const y = ops.batchNorm(at('x'), { training: true, runningMean: mean, runningVar: variance });
    return [last(old, mean), y, variance];
  };
  await check(
    {
      'read again afterwards': [
        (at) => around(at, (old, mean) => ops.sub(old, mean)),
        ['fill', 'neg+exp', 'batch_norm', 'binary'],
      ],
      'not read again': [(at) => around(at, (old) => ops.sub(old, at('mean'))), ['fill', 'neg+exp+sub', 'batch_norm']],
    },
    { x: [30, 7], mean: [7] },
  );
});

balanced('gradients of a chain, written where leaves keep them', async () => {
  const gradients = autograd.grad((a, b, c) =>
    ops.sum(ops.mul(ops.tanh(ops.add(ops.mul(a, b), c)), ops.sigmoid(ops.sub(a, c)))),
  );
  const found = await compare(
    (inputs) => gradients(get(inputs, 'a'), get(inputs, 'b'), get(inputs, 'c')),
    normal({ a: [37, 29], b: [37, 29], c: [37, 29] }),
  );
  assert.ok(
    found.some((op) => op.split('+').length > 3),
    found.join(' '),
  );
  assert.ok(found.length < 8, found.join(' '));
});

balanced('numbers that change from call to call stay in ops of their own', async () => {
  const fn = ({ a }: { a: Tensor }, { t }: { t: Num }): Tensor => ops.neg(ops.exp(ops.mul(a, t)));
  using step = capture(({ a }: { a: Tensor }, { t }: { t: Scalar }) => fn({ a }, { t }));
  for (const t of [1, 2, 3]) {
    const { a } = normal({ a: [100] })(t) as { a: Tensor };
    const [actual, expected] = [step({ a }, { t }), scope(() => fn({ a }, { t }))];
    sameBits((await actual.data()) as Float32Array, (await expected.data()) as Float32Array, `t = ${t}`);
    for (const tensor of [actual, expected, a]) tensor.dispose();
  }
  assert.deepEqual(opsOf(step.explain()), ['binary', 'exp+neg']);
});

balanced('a result lies in the memory of what it is made of', async () => {
  const fn = ({ m, w, b }: { m: Tensor; w: Tensor; b: Tensor }): Tensor[] => {
    const t = ops.matmul(m, w);
    return [ops.sum(ops.neg(ops.exp(ops.sub(b, t))))];
  };
  const make = normal({ m: [9, 40], w: [40, 50], b: [9, 50] });
  assert.deepEqual(await compare((inputs) => fn(inputs as Parameters<typeof fn>[0]), make), [
    'sgemm',
    'sub+exp+neg',
    'reduce',
  ]);
  using step = capture(fn);
  const inputs = make(1);
  for (const result of step(inputs as Parameters<typeof fn>[0])) result.dispose();
  for (const input of Object.values(inputs)) input.dispose();
  assert.equal(step.plans[0]?.temporaries, 1);
});
