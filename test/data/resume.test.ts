// An epoch that begins in the middle is the rest of the whole one, bit for bit, whatever a loader is made of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  crop,
  cutmix,
  cutout,
  Dataset,
  type Example,
  flip,
  fromIterable,
  fromRecords,
  type Loader,
  mixup,
  rotate,
} from '../../src/data/index.js';
import { deriveKey, philox4x32 } from '../../src/random/philox.js';
import { f32, i32 } from '../io/host.js';
import { plainBatches, range } from './batches.js';

const SIDE = 5;
const PIXELS = SIDE * SIDE;

/** Any number that follows from these two. */
const word = (seed: number, index: number): number => philox4x32(deriveKey(seed, 'test'), [index, 0, 0, 0])[0];

function arrays(length: number) {
  const pixels = range(length * PIXELS).map((index) => word(1, index) % 256);
  return {
    x: { data: Uint8Array.from(pixels), shape: [length, SIDE, SIDE, 1], dtype: 'u8' as const },
    y: i32(range(length).map((index) => index % 3)),
  };
}

function dataset(length: number): Dataset {
  return Dataset.fromArrays(arrays(length));
}

const image = (index: number, epoch: number): Example => ({
  x: f32(
    range(PIXELS).map((at) => word(epoch, index * PIXELS + at) / 2 ** 32),
    [SIDE, SIDE, 1],
  ),
  y: index % 3,
});

/** Loaders over `length` images in batches of `size`. */
const sources: Record<string, (length: number, size: number) => Loader> = {
  array: (length, size) => dataset(length).batch(size),
  'array, shuffled': (length, size) => dataset(length).shuffle().batch(size),
  'array, last batch dropped': (length, size) => dataset(length).shuffle({ seed: 4 }).batch(size, { dropLast: true }),
  joined: (length, size) => dataset(length).concat(dataset(3)).shuffle().batch(size),
  mapped: (length, size) =>
    dataset(length)
      .map(async ({ x, y }, { index, epoch, seed }) => {
        await Promise.resolve();
        return { x: { ...x, data: x.data.map((value) => (value + index + epoch + seed) % 256) }, y };
      })
      .shuffle()
      .batch(size),
  'mapped, bad ones left out': (length, size) =>
    dataset(length)
      .map(
        (example, { index }) => {
          if (word(2, index) % 4 === 0) throw new Error('bad');
          return example;
        },
        { onBad: 'skip' },
      )
      .batch(size),
  records: (length, size) =>
    fromRecords((epoch) => range(length).map((index) => image(index, epoch)), { batch: size, classCount: 3 }),
  'records, bad ones left out': (length, size) =>
    fromRecords(
      async function* (epoch) {
        for (const index of range(length)) yield word(3, index) % 4 === 0 ? new Error('bad') : image(index, epoch);
      },
      { batch: size, onBad: 'skip', classCount: 3 },
    ),
  batches: (length, size) =>
    fromIterable((epoch) => dataset(length).shuffle({ seed: 1 }).batch(size).epoch(epoch), { classCount: 3 }),
  'batches of a seekable source': (length, size) =>
    fromIterable((epoch, { skip, seed }) => dataset(length).shuffle().batch(size).epoch(epoch, { skip, seed }), {
      seekable: true,
      classCount: 3,
    }),
};

/** What may be put onto a loader. */
const stages: Record<string, (loader: Loader) => Loader> = {
  map: (loader) =>
    loader.map((batch) => {
      batch.x.data.forEach((value, index) => {
        batch.x.data[index] = (value * 3) % 251;
      });
      return batch;
    }),
  'map to another size': (loader) =>
    loader.map(async ({ x, y, weight, size }) => {
      const kept = Math.max(1, size - 1);
      const first = <T extends typeof x>({ data, shape, dtype }: T) => ({
        data: data.subarray(0, (data.length / size) * kept),
        shape: [kept, ...shape.slice(1)],
        dtype,
      });
      return { x: first(x), y: first(y), ...(weight && { weight: first(weight) }), size: kept };
    }),
  weights: (loader) =>
    loader.map((batch) => ({
      ...batch,
      weight: f32(range(batch.size).map((index) => index + Number(batch.y.data[index]) + 1)),
    })),
  'shuffle, buffer 4': (loader) => loader.shuffle({ buffer: 4 }),
  'shuffle, buffer 100': (loader) => loader.shuffle({ buffer: 100, seed: 6 }),
  prefetch: (loader) => loader.prefetch(2),
  augment: (loader) => loader.augment([flip(), crop({ padding: 1 }), rotate({ degrees: 20 }), cutout({ size: 2 })]),
  mixup: (loader) => loader.augment([flip({ axis: 'vertical' }), mixup({ classes: 3 })]),
  cutmix: (loader) => loader.augment([cutmix({ classes: 3 })], { seed: 3 }),
};

const keysOf = (table: object): fc.Arbitrary<string> => fc.constantFrom(...Object.keys(table));

test('any composition, begun anywhere, gives what the whole epoch gives from there', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      keysOf(sources),
      fc.array(keysOf(stages), { maxLength: 4 }),
      fc.integer({ min: 1, max: 17 }),
      fc.integer({ min: 1, max: 5 }),
      fc.record({ epoch: fc.nat(3), seed: fc.nat(1000), skip: fc.nat(6), reuse: fc.boolean() }),
      async (source, names, length, size, { epoch, skip, ...options }) => {
        const make = (): Loader =>
          names.reduce(
            (loader, name) => stages[name]?.(loader) ?? loader,
            sources[source]?.(length, size) ?? dataset(0).batch(1),
          );
        for (const name of [source, ...names]) seen.add(name);
        const loader = make();
        const whole = await plainBatches(loader.epoch(epoch, options));
        assert.deepEqual(await plainBatches(loader.epoch(epoch, { ...options, skip })), whole.slice(skip));
        assert.deepEqual(await plainBatches(make().epoch(epoch, options)), whole, 'another loader, the same epoch');
        if (loader.batchesPerEpoch !== undefined) assert.equal(whole.length, loader.batchesPerEpoch);
      },
    ),
    { seed: 5, numRuns: 300 },
  );
  assert.deepEqual([...seen].sort(), [...Object.keys(sources), ...Object.keys(stages)].sort());
});
