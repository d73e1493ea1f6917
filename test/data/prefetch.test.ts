// Batches ahead of the one that is asked for: order, bounds, failures, and ways out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ahead } from '../../src/data/ahead.js';
import { batchesOf } from '../../src/data/batches_of.js';
import { Dataset, fromIterable, type HostBatch } from '../../src/data/index.js';
import { f32, failure, i32 } from '../io/host.js';

const batch = (value: number): HostBatch => ({ x: f32([value], [1, 1]), y: i32([value]), size: 1 });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** A source that counts what was taken from it. */
function counted(length: number, failsAt = Number.POSITIVE_INFINITY) {
  const state = { taken: 0, open: 0, mostOpen: 0, closed: 0 };
  async function* source(): AsyncGenerator<number> {
    try {
      for (let i = 0; i < length; i++) {
        state.mostOpen = Math.max(state.mostOpen, ++state.open);
        await turn();
        state.open--;
        if (i === failsAt) throw new Error(`no record ${i}`);
        state.taken = i + 1;
        yield i;
      }
    } finally {
      state.closed++;
    }
  }
  return { state, source };
}

test('ahead: all items in order, never more than asked for are ready, one is made at a time', async () => {
  for (const count of [1, 3, 100]) {
    const { state, source } = counted(20);
    const ahead = new Ahead(source(), count);
    const seen: number[] = [];
    for await (const item of ahead) {
      await turns(30);
      assert.ok(ahead.pending <= count, `${ahead.pending} of ${count}`);
      assert.equal(state.taken, Math.min(20, item + 1 + count), 'the source works on while the consumer is busy');
      seen.push(item);
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 20 }, (_, i) => i),
    );
    assert.deepEqual([state.mostOpen, state.closed], [1, 1]);
  }
});

test('ahead: a source that never waits gives the event loop a turn after each item', async () => {
  let made = 0;
  function* source(): Generator<number> {
    for (; made < 50; made++) yield made;
  }
  const ahead = new Ahead(source(), 10);
  const first = ahead.next();
  await Promise.resolve();
  assert.ok(made <= 1);
  assert.deepEqual(await first, { value: 0, done: false });
  await turns(30);
  // Those ready, and the one that was taken.
  assert.equal(made, 10);
  const rest: number[] = [];
  for await (const item of ahead) rest.push(item);
  assert.equal(rest.length, 49);
});

test('ahead: a failure comes after the items before it, and once', async () => {
  const { state, source } = counted(9, 4);
  const ahead = new Ahead(source(), 3);
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const item of ahead) {
      await turns(30);
      seen.push(item);
    }
  }, /no record 4/);
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.equal(state.closed, 1);
  assert.deepEqual(await ahead.next(), { value: undefined, done: true });
});

test('ahead: leaving the loop closes the source, whatever it is doing', async () => {
  for (const wait of [0, 30]) {
    const { state, source } = counted(1000);
    for await (const item of new Ahead(source(), 4)) {
      await turns(wait);
      if (item === 2) break;
    }
    assert.equal(state.closed, 1);
    assert.ok(state.taken <= 2 + 1 + 4 + 1, `${state.taken} taken`);
    const { taken } = state;
    await turns(10);
    assert.equal(state.taken, taken, 'nothing more is made');
  }
});

test('ahead: an abort ends the items although the source does not answer', async () => {
  const controller = new AbortController();
  let answer: (value: number) => void = () => undefined;
  let closed = false;
  async function* source(): AsyncGenerator<number> {
    try {
      yield 0;
      yield await new Promise<number>((resolve) => {
        answer = resolve;
      });
    } finally {
      closed = true;
    }
  }
  const ahead = new Ahead(source(), 2, controller.signal);
  assert.deepEqual(await ahead.next(), { value: 0, done: false });
  const stuck = ahead.next();
  await turns(3);
  controller.abort();
  assert.deepEqual(await stuck, { value: undefined, done: true });
  assert.equal(closed, false);
  answer(1);
  await turns(3);
  assert.equal(closed, true);
  const late = new Ahead([1, 2], 2, AbortSignal.abort());
  assert.deepEqual(await late.next(), { value: undefined, done: true });
});

test('loaders: prefetched batches are the same, also where arrays take turns', async () => {
  const rows = Array.from({ length: 23 }, (_, row) => row);
  const loader = Dataset.fromArrays({ x: f32(rows, [23, 1]), y: i32(rows) }, { normalize: { scale: 2, offset: 0 } })
    .shuffle({ seed: 1 })
    .batch(4);
  const whole = Array.from(loader.epoch(1, { reuse: false }), ({ x, y }) => [[...x.data], [...y.data]]);
  for (const source of [loader, loader.map((each) => each)]) {
    const prefetched = source.prefetch(3);
    assert.deepEqual([prefetched.batchesPerEpoch, prefetched.normalize], [6, { scale: 2, offset: 0 }]);
    for (const reuse of [true, false]) {
      const seen: unknown[] = [];
      let before: HostBatch | undefined;
      for await (const each of prefetched.epoch(1, { skip: 2, reuse })) {
        await turns(9);
        seen.push([[...each.x.data], [...each.y.data]]);
        // As without prefetching, the batch before is still whole.
        if (before) assert.deepEqual([[...before.x.data], [...before.y.data]], seen.at(-2));
        before = each;
      }
      assert.deepEqual(seen, whole.slice(2));
    }
  }
  assert.throws(() => loader.prefetch(0), failure('E_RANGE', /prefetch/));
});

test('loaders: arrays of prefetched batches take turns, no more of them than can be in use', async () => {
  const loader = Dataset.fromArrays({ x: f32(new Array(40).fill(1), [40, 1]), y: i32(new Array(40).fill(0)) }).batch(2);
  const buffers = new Set<unknown>();
  for await (const { x } of loader.prefetch(3).epoch(0)) buffers.add(x.data.buffer);
  assert.equal(buffers.size, 3 + 1 + 2);
});

test('training takes a dataset in memory as it is, and other loaders ahead', async () => {
  const loader = Dataset.fromArrays({ x: f32([1, 2], [2, 1]), y: i32([0, 1]) }).batch(1);
  assert.ok(Symbol.iterator in batchesOf(loader, 0));
  const asked: boolean[] = [];
  const stream = fromIterable((_epoch, { reuse }) => {
    asked.push(reuse);
    return [0, 1, 2, 3, 4].map(batch);
  });
  const signal = new AbortController().signal;
  for (const source of [stream, stream.prefetch(4)]) {
    const values: number[] = [];
    const batches = batchesOf(source, 0, { seed: 1 }, signal);
    assert.ok(batches instanceof Ahead);
    for await (const { y } of batches) values.push(...y.data);
    assert.deepEqual(values, [0, 1, 2, 3, 4]);
  }
  assert.deepEqual(asked, [false, false], 'a batch that waits must not be overwritten');
});
