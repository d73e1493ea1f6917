import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../src/device.js';
import { add, mul } from '../../src/ops/elementwise/elementwise.js';
import { reshape } from '../../src/ops/reshape.js';
import { scope } from '../../src/tensor/scope.js';
import type { NestedArray, Tensor } from '../../src/tensor/tensor.js';
import { empty, liveTensors, tensor } from '../../src/tensor/tensor.js';
import { runChild } from '../support/child.js';
import { refuses, rejects } from '../support/refuses.js';

test('tensors of numbers, nested arrays and typed arrays', () => {
  using scalar = tensor(5);
  assert.deepEqual([scalar.shape, scalar.rank, scalar.size, scalar.dtype], [[], 0, 1, 'f32']);
  using nested = tensor([
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  ]);
  assert.deepEqual(nested.shape, [1, 3, 2]);
  assert.deepEqual([...nested.dataSync()], [1, 2, 3, 4, 5, 6]);
  using ints = tensor(Int32Array.of(1, -2), [2, 1]);
  assert.deepEqual([ints.dtype, ints.shape], ['i32', [2, 1]]);
  assert.ok(ints.dataSync() instanceof Int32Array);
  using bytes = tensor(Uint8Array.of(1, 255));
  assert.deepEqual([bytes.dtype, [...bytes.dataSync()], bytes.byteLength], ['u8', [1, 255], 2]);
  using converted = tensor([1.75, -2], [2], { dtype: 'i32' });
  assert.deepEqual([...converted.dataSync()], [1, -2]);
  using none = tensor([[], []]);
  assert.deepEqual([none.shape, [...none.dataSync()]], [[2, 0], []]);
  assert.equal(nested.toString(), 'Tensor(f32 [1,3,2])');
});

test('values that do not fill the shape are refused, ragged ones too', () => {
  refuses(() => tensor([[1, 2], [3]]), 'E_SHAPE', /shape \[2,2\], received ragged/);
  refuses(() => tensor([[1], 2]), 'E_SHAPE', /ragged/);
  refuses(() => tensor([1, [2]] as NestedArray), 'E_SHAPE', /ragged/);
  refuses(() => tensor([[[]], [1]] as NestedArray), 'E_SHAPE', /ragged/);
  refuses(() => tensor([1, 2, 3], [2, 2]), 'E_SHAPE', /4 values for shape \[2,2\], received 3/);
  refuses(() => tensor(new Float32Array(2), [-2]), 'E_SHAPE', /integers of at least 0/);
  refuses(() => empty([1.5], 'f32'), 'E_SHAPE');
  refuses(() => empty([2 ** 32 - 1, 2 ** 32 - 1], 'f32'), 'E_SHAPE', /2\^53/);
});

test('a refused tensor leaves no memory behind', () => {
  const before = [liveTensors(), memory().liveBuffers];
  refuses(() => tensor([[1, 2], [3]]), 'E_SHAPE');
  refuses(() => empty([2 ** 20, 2 ** 30], 'f32'), 'E_OOM', /./);
  refuses(() => tensor(Int32Array.of(1), [1], { requiresGrad: true }), 'E_DTYPE');
  assert.deepEqual([liveTensors(), memory().liveBuffers], before);
});

test('item is for one element', async () => {
  using one = tensor([[7]]);
  assert.equal(await one.item(), 7);
  assert.equal(one.itemSync(), 7);
  using two = tensor([1, 2]);
  await rejects(two.item(), 'E_SHAPE', /one element, received shape \[2\]/);
  refuses(() => two.itemSync(), 'E_SHAPE');
});

test('data is a copy of the values at the time of the call', async () => {
  using x = tensor([1, 2]);
  const early = x.data();
  x.write([3, 4]);
  const late = x.data();
  x.write([5, 6]);
  assert.deepEqual([...(await early)], [1, 2]);
  assert.deepEqual([...(await late)], [3, 4]);
  const copy = x.dataSync();
  copy[0] = 99;
  assert.deepEqual([...x.dataSync()], [5, 6]);
});

test('write takes as many values as there are elements, copies them and converts them', () => {
  using x = tensor([1, 2, 3]);
  refuses(() => x.write([1, 2]), 'E_SHAPE', /3 values, received 2/);
  refuses(() => x.write(new Float32Array(4)), 'E_SHAPE');
  const source = Float32Array.of(4, 5, 6);
  x.write(source);
  source.fill(0);
  assert.deepEqual([...x.dataSync()], [4, 5, 6]);
  using ints = tensor([0, 0], [2], { dtype: 'i32' });
  ints.write([3, -4]);
  assert.deepEqual([...ints.dataSync()], [3, -4]);
});

test('views share memory, which lives as long as the last of them', () => {
  const before = memory().liveBuffers;
  const x = tensor([1, 2, 3, 4, 5, 6]);
  const tail = x.view([2, 2], 2);
  const flat = reshape(tail, [4]);
  assert.equal(memory().liveBuffers, before + 1);
  assert.deepEqual([...flat.dataSync()], [3, 4, 5, 6]);
  tail.write([30, 40, 50, 60]);
  assert.deepEqual([...x.dataSync()], [1, 2, 30, 40, 50, 60]);
  assert.equal(tail.byteOffset, 8);
  x.dispose();
  tail.dispose();
  assert.equal(memory().liveBuffers, before + 1);
  assert.deepEqual([...flat.dataSync()], [30, 40, 50, 60]);
  refuses(() => flat.view([5]), 'E_RANGE', /within/);
  refuses(() => flat.view([1], -1), 'E_RANGE');
  refuses(() => flat.view([1], 0.5), 'E_RANGE');
  refuses(() => flat.view([4], 3), 'E_RANGE');
  flat.dispose();
  assert.equal(memory().liveBuffers, before);
});

test('using disposes at the end of the block, dispose may be called twice, and use afterwards is refused', async () => {
  const before = liveTensors();
  let escaped: Tensor;
  {
    using x = tensor([1, 2]);
    escaped = x;
    assert.equal(x.disposed, false);
  }
  assert.equal(escaped.disposed, true);
  escaped.dispose();
  assert.equal(liveTensors(), before);
  assert.equal(escaped.toString(), 'Tensor(f32 [2], disposed)');
  refuses(() => escaped.dataSync(), 'E_DISPOSED', /shape \[2\] that was disposed/);
  refuses(() => escaped.write([1, 2]), 'E_DISPOSED');
  refuses(() => escaped.view([2]), 'E_DISPOSED');
  refuses(() => escaped.detach(), 'E_DISPOSED');
  refuses(() => escaped.device, 'E_DISPOSED');
  refuses(() => add(escaped, 1), 'E_DISPOSED');
  await rejects(escaped.data(), 'E_DISPOSED');
  const live = [liveTensors(), memory().liveBuffers];
  scope(() => {
    const other = tensor([1, 2]);
    refuses(() => mul(other, escaped), 'E_DISPOSED');
    refuses(() => mul(escaped, other), 'E_DISPOSED');
  });
  assert.deepEqual([liveTensors(), memory().liveBuffers], live);
});

test('rebase moves a tensor onto other memory and lets go of its own', () => {
  const before = memory().liveBuffers;
  const arena = tensor([1, 2, 3, 4]);
  const x = tensor([9, 9]);
  const place = arena.view([2], 2);
  x.rebase(place);
  place.dispose();
  assert.equal(memory().liveBuffers, before + 1);
  assert.deepEqual([...x.dataSync()], [3, 4]);
  refuses(() => x.rebase(arena), 'E_SHAPE', /shape \[2\], received \[4\]/);
  arena.dispose();
  x.dispose();
  assert.equal(memory().liveBuffers, before);
});

test('a dropped tensor is freed by the garbage collector', async () => {
  const { code, stdout, stderr } = await runChild('test/tensor/dropped.ts', [], { nodeArgs: ['--expose-gc'] });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { made: [600, 600], left: [0, 0] });
});
