import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backward,
  customGrad,
  enableGrad,
  grad,
  gradEnabled,
  gradients,
  noGrad,
  valueAndGrad,
} from '../../src/autograd/index.js';
import { add, exp, mul, sin, square, sub } from '../../src/ops/elementwise/elementwise.js';
import { sum } from '../../src/ops/reduce/reduce.js';
import { reshape } from '../../src/ops/reshape.js';
import { create, sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { refuses } from '../support/refuses.js';

const values = (x: Tensor | null | undefined): number[] => [...(x?.dataSync() ?? [])];

/** A test whose tensors are gone at its end: those on the tape with the scope, gradients by hand. */
function balanced(name: string, body: (leaf: (values: number[]) => Tensor<'f32'>) => void): void {
  test(name, () => {
    const before = liveTensors();
    const leaves: Tensor<'f32'>[] = [];
    scope(() => {
      body((list) => {
        const leaf = tensor(list).requireGrad();
        leaves.push(leaf);
        return leaf;
      });
      for (const leaf of leaves) leaf.grad?.dispose();
    });
    assert.equal(liveTensors(), before);
  });
}

balanced('backward puts the gradient of a scalar into the leaves', (leaf) => {
  const x = leaf([1, 2, 3]);
  const y = leaf([4, 5, 6]);
  backward(sum(mul(square(x), y)));
  assert.deepEqual(values(x.grad), [8, 20, 36]);
  assert.deepEqual(values(y.grad), [1, 4, 9]);
  assert.equal(x.grad?.requiresGrad, false);
});

balanced('a leaf that is the output gets the seed itself', (leaf) => {
  const x = leaf([3]);
  backward(x);
  assert.deepEqual(values(x.grad), [1]);
});

balanced('each node of a diamond is visited once, after all of its uses', (leaf) => {
  const x = leaf([2]);
  const a = square(x); // 4
  const b = mul(a, 3); // 12
  const c = mul(a, a); // 16
  backward(sum(add(b, c))); // 3 x^2 + x^4: 6 x + 4 x^3
  assert.deepEqual(values(x.grad), [44]);
});

balanced('a tensor used twice in one op gets both shares', (leaf) => {
  const x = leaf([3, -2]);
  backward(sum(mul(x, x)));
  assert.deepEqual(values(x.grad), [6, -4]);
});

balanced('a chain of 5,000 ops does not overflow the stack', (leaf) => {
  const x = leaf([1]);
  let y: Tensor = x;
  for (let i = 0; i < 5000; i++) y = add(y, 1);
  backward(y);
  assert.deepEqual(values(x.grad), [1]);
});

balanced('a non-scalar needs a seed of its shape', (leaf) => {
  const x = leaf([1, 2, 3]);
  refuses(() => backward(square(x)), 'E_SHAPE', /scalar or an explicit gradient, received shape \[3\]/);
  refuses(() => backward(square(x), tensor([1, 2])), 'E_SHAPE', /shape \[3\], received \[2\]/);
  refuses(() => backward(square(x), tensor([1, 2, 3], [3], { dtype: 'i32' })), 'E_DTYPE');
  const seed = tensor([1, 10, 100]);
  backward(square(x), seed);
  assert.deepEqual(values(x.grad), [2, 40, 600]);
  assert.deepEqual(values(seed), [1, 10, 100], 'the seed is still the caller’s');
});

balanced('leaves without requireGrad and detached branches get nothing', (leaf) => {
  const x = leaf([2]);
  const constant = tensor([5]);
  const y = add(mul(x, constant), square(x).detach());
  backward(y);
  assert.deepEqual(values(x.grad), [5]);
  assert.equal(constant.grad, null);
  refuses(() => backward(mul(constant, 2)), 'E_ARGUMENT', /depends on a tensor with requireGrad/);
  refuses(() => backward(square(x).detach()), 'E_ARGUMENT', /depends on/);
});

balanced('requireGrad is for f32 leaves', (leaf) => {
  refuses(() => tensor([1], [1], { dtype: 'i32' }).requireGrad(), 'E_DTYPE', /f32 tensor, received i32/);
  refuses(() => square(leaf([1])).requireGrad(), 'E_ARGUMENT', /leaf/);
});

balanced('gradients add up over two backwards, and begin anew at null', (leaf) => {
  const x = leaf([1, 2]);
  backward(sum(square(x)));
  backward(sum(mul(x, 10)));
  assert.deepEqual(values(x.grad), [12, 14]);
  x.grad?.dispose();
  x.grad = null;
  backward(sum(x));
  assert.deepEqual(values(x.grad), [1, 1]);
});

balanced('a graph is used once unless it is retained', (leaf) => {
  const x = leaf([3]);
  const y = square(x);
  backward(y);
  refuses(() => backward(y), 'E_ARGUMENT', /not used yet.*retainGraph: true/);
  const z = square(x);
  backward(z, undefined, { retainGraph: true });
  backward(z);
  assert.deepEqual(values(x.grad), [18]);
  refuses(() => backward(z), 'E_ARGUMENT', /retainGraph/);
});

balanced('part of a used graph cannot be used again', (leaf) => {
  const x = leaf([3]);
  const shared = square(x);
  backward(mul(shared, 2));
  refuses(() => backward(mul(shared, 3)), 'E_ARGUMENT', /already differentiated/);
});

balanced('a value that backward needs must not be overwritten', (leaf) => {
  const x = leaf([1, 2]);
  const y = sum(square(x));
  x.write([5, 6]);
  refuses(() => backward(y), 'E_ARGUMENT', /modified in place/);

  const w = tensor([2, 2]);
  const z = sum(mul(x, w));
  w.view([2]).write([7, 7]); // through a view: the memory is what counts
  refuses(() => backward(z), 'E_ARGUMENT', /modified in place/);

  const shift = tensor([1, 1]);
  const plus = sum(add(x, shift)); // add's rule reads no values
  shift.write([9, 9]);
  backward(plus);
  assert.deepEqual(values(x.grad), [1, 1]);
});

test('an optimizer may step after backward, not between forward and backward', () => {
  const before = liveTensors();
  const w = tensor([1, 2]).requireGrad();
  const optimizer = create(sgd({ lr: 0.5 }), [['w', w]]);
  scope(() => {
    for (const expected of [
      [0, 0],
      [0, 0],
    ]) {
      optimizer.zeroGrad();
      backward(sum(square(w)));
      optimizer.step();
      assert.deepEqual(values(w), expected);
    }
    w.write([1, 2]);
    optimizer.zeroGrad();
    const early = sum(square(w));
    backward(sum(mul(w, 1)));
    optimizer.step();
    refuses(() => backward(early), 'E_ARGUMENT', /modified in place/);
  });
  optimizer.dispose();
  w.dispose();
  assert.equal(liveTensors(), before);
});

balanced('a value that backward needs must be alive', (leaf) => {
  const x = leaf([1, 2]);
  const w = tensor([3, 4]);
  const y = sum(mul(x, w));
  w.dispose();
  refuses(() => backward(y), 'E_DISPOSED', /mul.*alive.*\[2\]/);
});

balanced('intermediate results may go when no rule reads them', (leaf) => {
  const x = leaf([1, 2]);
  const inner = add(x, 1);
  const y = sum(add(inner, 1));
  inner.dispose();
  backward(y);
  assert.deepEqual(values(x.grad), [1, 1]);
});

balanced('noGrad and enableGrad nest, also when they throw', (leaf) => {
  const x = leaf([2]);
  noGrad(() => {
    assert.equal(square(x).requiresGrad, false);
    assert.equal(enableGrad(() => square(x)).requiresGrad, true);
    assert.equal(gradEnabled(), false);
  });
  assert.throws(() =>
    noGrad(() => {
      throw new Error('boom');
    }),
  );
  assert.equal(gradEnabled(), true);
  assert.equal(square(x).requiresGrad, true);
});

balanced('gradients leaves grad alone, gives zeros where nothing depends, and stops at inner tensors', (leaf) => {
  const x = leaf([2, 3]);
  const unrelated = leaf([1, 1, 1]);
  const inner = square(x);
  const y = sum(mul(inner, 3));
  const [dInner, dX, dUnrelated] = gradients(y, [inner, x, unrelated], undefined, { retainGraph: true });
  assert.deepEqual(values(dInner), [3, 3]);
  assert.deepEqual(values(dUnrelated), [0, 0, 0]);
  // The inputs count as independent: what flows to x through `inner` is counted there.
  assert.deepEqual(values(dX), [0, 0]);
  assert.deepEqual(values(gradients(y, [x])[0]), [12, 18]);
  assert.equal(x.grad, null);
});

balanced('grad and valueAndGrad differentiate functions by the chosen arguments', () => {
  const f = (a: Tensor, b: Tensor): Tensor => sum(mul(square(a), b));
  const [a, b] = [tensor([1, 2]), tensor([3, 4])];
  assert.deepEqual(grad(f)(a, b).map(values), [
    [6, 16],
    [1, 4],
  ]);
  const { value, grads } = valueAndGrad(f, { argnums: [1] })(a, b);
  assert.equal(value.itemSync(), 19);
  assert.equal(value.requiresGrad, false);
  assert.deepEqual(grads.map(values), [[1, 4]]);
  assert.equal(a.grad, null);
  refuses(() => grad(f, { argnums: [2] })(a, b), 'E_RANGE', /argnums below 2, received 2/);
  refuses(() => grad((x) => square(x))(a), 'E_SHAPE', /scalar/);
});

balanced('second and third derivatives', (leaf) => {
  const cube = (x: Tensor): Tensor => sum(mul(square(x), x));
  const first = (x: Tensor): Tensor => sum(grad(cube)(x)[0] ?? x);
  const second = (x: Tensor): Tensor => sum(grad(first)(x)[0] ?? x);
  const x = tensor([2, -1]);
  assert.deepEqual(values(grad(cube)(x)[0]), [12, 3]);
  assert.deepEqual(values(grad(first)(x)[0]), [12, -6]);
  assert.deepEqual(values(grad(second)(x)[0]), [6, 6]);

  // The same by createGraph: d/dx (dy/dx)^2 of y = sin x.
  const p = leaf([0.5]);
  const [dy] = gradients(sin(p), [p], undefined, { createGraph: true });
  assert.ok(dy);
  backward(square(dy));
  const expected = -2 * Math.cos(0.5) * Math.sin(0.5);
  assert.ok(Math.abs((values(p.grad)[0] ?? 0) - expected) < 1e-6);
});

balanced('mixed second derivatives and Hessian-vector products', () => {
  const f = (x: Tensor): Tensor => sum(mul(exp(x), x)); // f' = (1 + x) e^x, f'' = (2 + x) e^x
  const v = tensor([1, -2]);
  const hvp = grad((x) => sum(mul(grad(f)(x)[0] ?? x, v)));
  const got = values(hvp(tensor([0.25, -0.5]))[0]);
  [2.25 * Math.exp(0.25), -2 * 1.5 * Math.exp(-0.5)].forEach((expected, i) => {
    assert.ok(Math.abs((got[i] ?? 0) - expected) < 1e-5, `${got[i]} ${expected}`);
  });
});

balanced('customGrad uses the given rule, which may be null, nested, or differentiated again', (leaf) => {
  const x = leaf([1, 2]);
  const y = leaf([3, 4]);
  const straightThrough = customGrad((a, b) => ({
    value: mul(a, 0),
    backward: (dy) => [mul(dy, b), null],
  }));
  backward(sum(straightThrough(x, y)));
  assert.deepEqual(values(x.grad), [3, 4]);
  assert.equal(y.grad, null);

  const same = customGrad((a) => ({ value: a, backward: (dy) => [mul(dy, 7)] }));
  const z = leaf([1]);
  backward(same(z));
  assert.deepEqual(values(z.grad), [7]);

  const cube = customGrad((a) => ({ value: mul(square(a), a), backward: (dy) => [mul(dy, mul(square(a), 3))] }));
  const second = grad((a) => sum(grad((b) => sum(cube(b)))(a)[0] ?? a));
  assert.deepEqual(values(second(tensor([2]))[0]), [12]);
});

balanced('a rule that gives the wrong gradients is named', (leaf) => {
  const x = leaf([1, 2]);
  const wrongShape = customGrad((a) => ({ value: square(a), backward: (dy) => [reshape(dy, [2, 1])] }));
  refuses(() => backward(sum(wrongShape(x))), 'E_SHAPE', /input 0 of customGrad to have shape \[2\], received \[2,1\]/);
  const wrongCount = customGrad((a) => ({ value: square(a), backward: (dy) => [dy, dy] }));
  refuses(() => backward(sum(wrongCount(x))), 'E_ARGUMENT', /1 gradients from customGrad, received 2/);
});

balanced('gradients on the way are let go as soon as they are passed on', (leaf) => {
  const seen: number[] = [];
  const link = customGrad((a) => ({
    value: mul(a, 2),
    backward: (dy) => {
      seen.push(liveTensors());
      return [mul(dy, 2)];
    },
  }));
  const x = leaf([1]);
  let y: Tensor = x;
  for (let i = 0; i < 10; i++) y = link(y);
  backward(y);
  assert.deepEqual(values(x.grad), [1024]);
  assert.deepEqual(new Set(seen), new Set([seen[0]]));
});

test('backward and gradients leave nothing behind outside of scopes, also when they fail', () => {
  const before = liveTensors();
  const x = tensor([1, 2]).requireGrad();
  const w = tensor([3, 4]).requireGrad();
  const held: Tensor[] = [x, w];
  const hold = <T extends Tensor>(t: T): T => {
    held.push(t);
    return t;
  };

  const product = hold(mul(x, w));
  const y = hold(sum(product));
  const between = liveTensors();
  backward(y, undefined, { retainGraph: true });
  assert.equal(liveTensors(), between + 2, 'the two gradients');
  for (const leaf of [x, w]) leaf.grad?.dispose();

  const wanted = gradients(y, [x]);
  assert.equal(liveTensors(), between + 1, 'the gradient that was asked for');
  for (const gradient of wanted) gradient.dispose();

  refuses(() => backward(y), 'E_ARGUMENT');
  refuses(() => gradients(y, [x]), 'E_ARGUMENT');
  assert.equal(liveTensors(), between);

  const doubled = hold(add(hold(square(x)), hold(sub(x, 1))));
  const twice = liveTensors();
  const seed = hold(tensor([1, 1]));
  for (const gradient of gradients(doubled, [x], seed)) {
    assert.deepEqual(values(gradient), [3, 5]);
    gradient.dispose();
  }
  assert.equal(liveTensors(), twice + 1, 'the seed');

  for (const t of held) t.dispose();
  assert.equal(liveTensors(), before);
});
