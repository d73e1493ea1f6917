import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../src/device.js';
import { add } from '../../src/ops/elementwise/elementwise.js';
import { keep, scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { refuses } from '../support/refuses.js';

function balanced(name: string, body: () => void): void {
  test(name, () => {
    const before = [liveTensors(), memory().liveBuffers];
    body();
    assert.deepEqual([liveTensors(), memory().liveBuffers], before);
  });
}

balanced('a scope disposes what was made in it and returns the result alive', () => {
  let inner: Tensor | undefined;
  const result = scope(() => {
    inner = tensor([1, 2]);
    return add(inner, 1);
  });
  assert.equal(inner?.disposed, true);
  assert.deepEqual([...result.dataSync()], [2, 3]);
  result.dispose();
});

balanced('what was made before a scope is not touched by it', () => {
  const outside = tensor([1]);
  scope(() => add(outside, 1).dispose());
  assert.equal(outside.disposed, false);
  outside.dispose();
});

balanced('survivors are found in arrays and plain objects, to any depth', () => {
  const { list, deep, lost } = scope(() => {
    const lost = tensor([0]);
    return { list: [tensor([1]), [tensor([2])]], deep: { a: { b: tensor([3]) }, none: null }, lost: () => lost };
  });
  const alive = [list[0], (list[1] as Tensor[])[0], deep.a.b] as Tensor[];
  assert.deepEqual(
    alive.map((t) => t.itemSync()),
    [1, 2, 3],
  );
  assert.equal(lost().disposed, true, 'a closure is not searched');
  for (const t of alive) t.dispose();
});

balanced('the result of an inner scope belongs to the outer one', () => {
  let middle: Tensor | undefined;
  const outer = scope(() => {
    middle = scope(() =>
      add(
        scope(() => tensor([5])),
        1,
      ),
    );
    assert.equal(middle.itemSync(), 6);
    return add(middle, 1);
  });
  assert.equal(middle?.disposed, true);
  assert.equal(outer.itemSync(), 7);
  outer.dispose();
});

balanced('keep takes a tensor out of every scope', () => {
  let kept: Tensor | undefined;
  scope(() => {
    scope(() => {
      kept = keep(tensor([1]));
    });
    const same = tensor([2]);
    assert.equal(keep(same), same);
    same.dispose();
  });
  assert.equal(kept?.disposed, false);
  kept?.dispose();
});

balanced('keep reaches scopes further out', () => {
  let kept: Tensor | undefined;
  scope(() => {
    const outer = tensor([1]);
    scope(() => {
      kept = keep(outer);
    });
  });
  assert.equal(kept?.disposed, false);
  kept?.dispose();
});

balanced('a scope that throws disposes everything', () => {
  let made: Tensor | undefined;
  assert.throws(
    () =>
      scope(() => {
        made = tensor([1]);
        throw new Error('boom');
      }),
    /boom/,
  );
  assert.equal(made?.disposed, true);
});

test('an asynchronous function is refused, and its rejection does not reach the process', async () => {
  const before = liveTensors();
  let made: Tensor | undefined;
  refuses(
    () =>
      scope(async () => {
        made = tensor([1]);
        throw new Error('unseen');
      }),
    'E_ARGUMENT',
    /synchronous function/,
  );
  assert.equal(made?.disposed, true);
  await new Promise((done) => setImmediate(done));
  assert.equal(liveTensors(), before);
});

balanced('a tensor disposed by hand within a scope is fine', () => {
  scope(() => {
    const a = tensor([1]);
    a.dispose();
    return a;
  });
});
