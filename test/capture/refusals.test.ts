// capture(fn): what it refuses.
import assert from 'node:assert/strict';
import * as autograd from '../../src/autograd/index.js';
import { capture } from '../../src/capture/index.js';
import * as ops from '../../src/ops/index.js';
import { copyInto } from '../../src/ops/strided_copy/copy.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { refuses } from '../support/refuses.js';
import { balanced, type One, valuesOf } from './setup.js';

balanced('refuses what no replay could repeat, and leaves nothing behind', () => {
  using outside = tensor([1, 2]);
  using leaf = tensor([1, 2]).requireGrad();
  using x = tensor([3, 4]);
  const cases: [(x: Tensor) => unknown, RegExp][] = [
    [(t) => t.dataSync(), /reads no values, received one that calls dataSync\(\)/],
    [(t) => ops.sum(t).item(), /received one that calls item\(\)/],
    [(t) => void t.data(), /received one that calls data\(\)/],
    [() => outside.write([1, 1]), /writes host values to no tensor from outside/],
    [
      (t) => autograd.backward(ops.sum(ops.mul(t, ops.square(leaf))), undefined, { createGraph: true }),
      /leaves no graph behind, received one that gives Tensor\(f32 \[2\]\) a gradient with createGraph/,
    ],
    [
      (t) => {
        const constant = tensor([0, 0]);
        copyInto(constant, t);
        return constant;
      },
      /leaves its constants alone/,
    ],
    [async (t) => t, /expected a synchronous function/],
  ];
  for (const [body, message] of cases) {
    using fn = capture((inputs: One) => {
      ops.add(inputs.x, inputs.x);
      return body(inputs.x) as Tensor;
    });
    refuses(() => fn({ x }), 'E_ARGUMENT', message);
    assert.deepEqual(fn.plans, []);
  }
  // Also when the function goes on as if nothing had happened.
  using swallowing = capture(({ x: input }: One) => {
    assert.throws(() => input.dataSync());
    return ops.neg(input);
  });
  refuses(() => swallowing({ x }), 'E_ARGUMENT', /reads no values/);
  // An error of its own goes through, and the next call begins anew.
  let fail = true;
  using failing = capture((inputs: One) => {
    const y = ops.neg(inputs.x);
    if (fail) throw new RangeError('mine');
    return y;
  });
  assert.throws(() => failing({ x }), /mine/);
  fail = false;
  assert.deepEqual(valuesOf(failing, [1, 2]), [-1, -2]);
  refuses(() => failing({ x: 3 as never }), 'E_ARGUMENT', /expected input x to be a tensor, received number/);
  failing.dispose();
  failing.dispose();
  refuses(() => failing({ x }), 'E_DISPOSED', /live captured function/);
});

balanced('with confirm, a function that does something else each time is refused', () => {
  let calls = 0;
  using changing = capture(({ x }: One) => ops.affine(x, ++calls), { confirm: true });
  assert.deepEqual(valuesOf(changing, [1, 2]), [1, 2]);
  assert.deepEqual(valuesOf(changing, [1, 2]), [2, 4]);
  assert.deepEqual(valuesOf(changing, [1, 2]), [3, 6]);
  refuses(() => valuesOf(changing, [1, 2]), 'E_ARGUMENT', /one where the parameters of op 0 \(unary\) changed/);

  let reason = '';
  calls = 0;
  using falling = capture(({ x }: One) => ops.add(x, tensor([++calls])), {
    confirm: true,
    fallback: ({ message }) => {
      reason += message;
    },
  });
  for (let i = 1; i < 8; i++) assert.deepEqual(valuesOf(falling, [1, 2]), [1 + i, 2 + i]);
  assert.match(reason, /^capture: [^:]* one where the operands of op 0 \(binary\) changed$/);
  assert.deepEqual(falling.plans, []);

  calls = 0;
  using steady = capture(
    ({ x }: One) => {
      calls++;
      return ops.add(x, tensor([5]));
    },
    { confirm: true },
  );
  for (let i = 0; i < 5; i++) assert.deepEqual(valuesOf(steady, [i]), [5 + i]);
  assert.equal(calls, 2);
});
