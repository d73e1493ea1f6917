import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostBatch } from '../../src/data/batch.js';
import { fromIterable } from '../../src/data/from_iterable.js';
import { f32, failure, i32 } from '../io/host.js';

const batch = (value: number): HostBatch => ({ x: f32([value], [1, 1]), y: i32([value]), size: 1 });

async function values(batches: AsyncIterable<HostBatch> | Iterable<HostBatch>): Promise<number[]> {
  const all: number[] = [];
  for await (const { y } of batches) all.push(...y.data);
  return all;
}

test('fromIterable: synchronous and asynchronous sources', async () => {
  const list = fromIterable((epoch) => [batch(epoch), batch(epoch + 1)], { batchesPerEpoch: 2 });
  assert.equal(list.batchesPerEpoch, 2);
  assert.deepEqual(await values(list.epoch(5)), [5, 6]);
  assert.deepEqual(await values(list.epoch(5, { skip: 1 })), [6]);
  const stream = fromIterable(
    async function* (_epoch, { seed }) {
      yield batch(seed);
    },
    { normalize: { scale: 2, offset: 0 } },
  );
  assert.equal(stream.batchesPerEpoch, undefined);
  assert.deepEqual(stream.normalize, { scale: 2, offset: 0 });
  assert.deepEqual(await values(stream.epoch(0, { seed: 9 })), [9]);
  assert.deepEqual(await values(stream.map((b) => ({ ...b, y: i32([1]) })).epoch(0)), [1]);
});

test('fromIterable: a seekable source skips by itself', async () => {
  const asked: number[] = [];
  const source = fromIterable(
    (_epoch, { skip }) => {
      asked.push(skip);
      return [0, 1, 2].slice(skip).map(batch);
    },
    { seekable: true },
  );
  assert.deepEqual(await values(source.epoch(0, { skip: 2 })), [2]);
  assert.deepEqual(asked, [2]);
});

test('fromIterable: checks what comes', async () => {
  const wrong = fromIterable(() => [batch(0), { ...batch(1), x: f32([1], [2]) }]);
  await assert.rejects(values(wrong.epoch(3)), failure('E_SHAPE', /^batch 1 of epoch 3: x: expected 2 elements/));
  const list = fromIterable(() => []);
  await assert.rejects(values(list.epoch(0.5)), failure('E_RANGE', /loader: epoch/));
  assert.throws(() => fromIterable(() => [], { batchesPerEpoch: -1 }), failure('E_RANGE', /batchesPerEpoch/));
});

test('fromIterable: leaving an epoch closes the source', async () => {
  let closed = false;
  const source = fromIterable(function* () {
    try {
      for (let index = 0; ; index += 1) yield batch(index);
    } finally {
      closed = true;
    }
  });
  for await (const { y } of source.epoch(0)) if (y.data[0] === 3) break;
  assert(closed);
});
