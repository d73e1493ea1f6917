// Augmentation: each transform against plain JavaScript, draws that follow from seed, epoch and position alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { augmentImages } from '../../src/backend/images.js';
import { addon } from '../../src/binding.js';
import {
  colour,
  crop,
  cutout,
  Dataset,
  flip,
  fromIterable,
  type Loader,
  mixup,
  type Padding,
  rotate,
  shift,
  type Transform,
} from '../../src/data/index.js';
import { encodeStages } from '../../src/data/transforms.js';
import { f32, failure, i32 } from '../io/host.js';
import { plainBatches, range } from './batches.js';
import {
  coloured,
  cut,
  flipped,
  happens,
  type Image,
  turned,
  uniformOf,
  wholeOf,
  window,
  wordsOf,
} from './image_reference.js';
import { type ImageType, images, word } from './some_images.js';

/** The images of an epoch, one after the other. */
async function imagesOf(
  loader: Loader,
  options: { epoch?: number; seed?: number; skip?: number } = {},
): Promise<Image[]> {
  const { epoch = 0, ...rest } = options;
  const all: Image[] = [];
  for (const { x, size } of await plainBatches(loader.epoch(epoch, rest))) {
    const [, height = 0, width = 0, channels = 0] = x.shape;
    const items = height * width * channels;
    for (let i = 0; i < size; i++)
      all.push({ data: x.data.slice(i * items, (i + 1) * items), height, width, channels });
  }
  return all;
}

const shapes = [
  [9, 5, 7, 1],
  [9, 8, 6, 3],
  [9, 1, 9, 2],
  [9, 4, 1, 4],
] as const;

/** Each image of a dataset against the reference of it, exactly or within `bound` (of bytes, in addition to their rounding). */
async function compare(
  transform: Transform,
  stage: string,
  reference: (image: Image, words: number[], dtype: ImageType) => Image,
  bound = 0,
  only: readonly (readonly [number, number, number, number])[] = shapes,
): Promise<void> {
  for (const dtype of ['u8', 'f32'] as const) {
    for (const shape of only) {
      const loader = images(shape, dtype).batch(4);
      const [before, after] = await Promise.all([
        imagesOf(loader),
        imagesOf(loader.augment([transform]), { epoch: 3, seed: 7 }),
      ]);
      assert.equal(after.length, shape[0]);
      for (const [position, image] of before.entries()) {
        const expected = reference(image, wordsOf(7, stage, 3, position), dtype);
        const received = after[position];
        assert.ok(received);
        const what = `${stage} ${dtype} [${shape}] image ${position}`;
        assert.deepEqual(
          [received.height, received.width, received.channels],
          [expected.height, expected.width, expected.channels],
          what,
        );
        if (bound === 0) assert.deepEqual(received.data, expected.data, what);
        const most = dtype === 'u8' ? 0.5 + 255 * bound : bound;
        for (const [i, value] of received.data.entries()) {
          const wanted = expected.data[i] ?? Number.NaN;
          assert.ok(Math.abs(value - wanted) <= most, `${what}, item ${i}: expected ${wanted}, received ${value}`);
        }
      }
    }
  }
}

test('flip: half of the images, exactly', async () => {
  for (const axis of ['horizontal', 'vertical'] as const) {
    for (const probability of [0, 0.5, 1]) {
      await compare(flip({ axis, probability }), '0:flip:0', (image, words) =>
        happens(words, probability) ? flipped(image, axis) : image,
      );
    }
  }
  const loader = images([1000, 1, 2, 1], 'f32').batch(100);
  const [before, after] = [await imagesOf(loader), await imagesOf(loader.augment([flip()]))];
  const changed = before.filter(({ data }, index) => data[0] !== after[index]?.data[0]).length;
  assert.ok(Math.abs(changed - 500) < 80, `${changed} of 1000 flipped`); // five deviations of a binomial
});

test('crop: a window of the padded image, exactly', async () => {
  for (const border of ['zero', 'edge'] as const satisfies readonly Padding[]) {
    for (const padding of [0, 2, 11]) {
      await compare(crop({ padding, border, fill: 3 }), '0:crop:0', (image, words) =>
        window(
          image,
          [wholeOf(words[1], -padding, padding), wholeOf(words[2], -padding, padding)],
          [image.height, image.width],
          border,
          3,
        ),
      );
    }
  }
  await compare(
    crop({ padding: 4, border: 'reflect' }),
    '0:crop:0',
    (image, words) =>
      window(image, [wholeOf(words[1], -4, 4), wholeOf(words[2], -4, 4)], [image.height, image.width], 'reflect', 0),
    0,
    [shapes[0], shapes[1]],
  );
  await compare(
    crop({ padding: 1, size: [3, 8] }),
    '0:crop:0',
    (image, words) =>
      window(
        image,
        [wholeOf(words[1], -1, image.height + 1 - 3), wholeOf(words[2], -1, image.width + 1 - 8)],
        [3, 8],
        'zero',
        0,
      ),
    0,
    [shapes[0], shapes[1], shapes[2]],
  );
});

test('shift: by whole pixels, exactly', async () => {
  await compare(shift({ by: [2, 0] }), '0:shift:0', (image, words) =>
    window(image, [wholeOf(words[1], -2, 2), 0], [image.height, image.width], 'zero', 0),
  );
  await compare(shift({ by: 20, border: 'edge' }), '0:shift:0', (image, words) =>
    window(image, [wholeOf(words[1], -20, 20), wholeOf(words[2], -20, 20)], [image.height, image.width], 'edge', 0),
  );
});

test('rotate: bilinear, within rounding of f32', async () => {
  // Four products and sums of f32 of weights that are off by 2^-24 each, of values up to 1; where a coordinate is rounded to
  // either side of a whole number the value is the same within its slope.
  const bound = 1e-6;
  for (const border of ['zero', 'reflect', 'edge'] as const) {
    await compare(
      rotate({ degrees: 40, scale: [0.7, 1.5], border }),
      '0:rotate:0',
      (image, words) => turned(image, uniformOf(words[1], -40, 40), uniformOf(words[2], 0.7, 1.5), border, 0),
      bound,
    );
  }
  await compare(rotate({}), '0:rotate:0', (image) => image);
  // A quarter turn against the clock: what was at the right is at the top.
  const quarter = turned({ data: [1, 2, 3, 4], height: 2, width: 2, channels: 1 }, 90, 1, 'zero', 0);
  assert.deepEqual(quarter.data.map(Math.round), [2, 4, 1, 3]);
});

test('cutout: a square, cut at the edges', async () => {
  for (const [size, probability] of [
    [3, 1],
    [4, 0.5],
    [0, 1],
    [100, 1],
  ] as const) {
    const fill = 2 * size;
    await compare(cutout({ size, probability, fill }), '0:cutout:0', (image, words) =>
      happens(words, probability)
        ? cut(image, wholeOf(words[1], 0, image.height - 1), wholeOf(words[2], 0, image.width - 1), size, fill)
        : image,
    );
  }
});

test('colour: brightness, contrast, saturation, hue', async () => {
  // Some ten operations of f32 on values up to 1, and the hue's division by a range that is no smaller than 2^-8: its error,
  // relative to the range, is multiplied by the range again.
  const bound = 1e-5;
  const factor = (word: number | undefined, strength: number): number =>
    uniformOf(word, Math.max(0, 1 - strength), 1 + strength);
  const reference =
    (brightness: number, contrast: number, saturation: number, hue: number) =>
    (image: Image, words: number[], dtype: ImageType): Image =>
      coloured(
        image,
        {
          brightness: factor(words[1], brightness),
          contrast: factor(words[2], contrast),
          saturation: factor(words[3], saturation),
          hue: uniformOf(words[4], -hue, hue),
        },
        dtype === 'u8' ? 255 : 1,
      );
  const rgb = [shapes[1], shapes[3]];
  await compare(colour({ brightness: 0.4, contrast: 0.6 }), '0:colour:0', reference(0.4, 0.6, 0, 0), bound);
  await compare(colour({ brightness: 3 }), '0:colour:0', reference(3, 0, 0, 0), bound);
  await compare(colour({ saturation: 0.9 }), '0:colour:0', reference(0, 0, 0.9, 0), bound, rgb);
  await compare(colour({ hue: 0.5 }), '0:colour:0', reference(0, 0, 0, 0.5), bound, rgb);
  const all = { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 };
  await compare(colour(all), '0:colour:0', reference(0.2, 0.2, 0.2, 0.1), bound, rgb);
  await compare(colour({}), '0:colour:0', (image) => image);
});

const everything = [
  flip(),
  crop({ padding: 2 }),
  shift({ by: 1, border: 'edge' }),
  rotate({ degrees: 15, scale: [0.9, 1.1] }),
  colour({ brightness: 0.3, contrast: 0.3 }),
  cutout({ size: 3 }),
];

test('a list is its transforms, one after the other; each draws for itself', async () => {
  const loader = images([8, 6, 6, 3], 'u8').batch(3);
  const before = await imagesOf(loader);
  const both = await imagesOf(loader.augment([flip(), cutout({ size: 2 }), flip()]), { seed: 5 });
  const apart = await imagesOf(loader.augment([flip()]).augment([flip()]), { seed: 5 });
  for (const [position, image] of before.entries()) {
    const words = (stage: string): number[] => wordsOf(5, stage, 0, position);
    const maybe = (from: Image, stage: string): Image =>
      happens(words(stage), 0.5) ? flipped(from, 'horizontal') : from;
    const square = words('0:cutout:0');
    const holed = cut(maybe(image, '0:flip:0'), wholeOf(square[1], 0, 5), wholeOf(square[2], 0, 5), 2, 0);
    assert.deepEqual(both[position], maybe(holed, '0:flip:1'));
    assert.deepEqual(apart[position], maybe(maybe(image, '0:flip:0'), '1:flip:0'), 'a second augment draws anew');
  }
});

test('an image’s augmentation follows from seed, epoch and position: not from batches, threads or where an epoch begins', async () => {
  const dataset = images([23, 6, 5, 3], 'u8').shuffle({ seed: 2 });
  const whole = await imagesOf(dataset.batch(23).augment(everything), { epoch: 1, seed: 4 });
  for (const size of [1, 4, 10]) {
    const loader = dataset.batch(size).augment(everything);
    for (const skip of [0, 1, 2])
      assert.deepEqual(await imagesOf(loader, { epoch: 1, seed: 4, skip }), whole.slice(skip * size));
    assert.deepEqual(await imagesOf(loader.prefetch(3), { epoch: 1, seed: 4 }), whole);
  }
  const own = dataset.batch(7).augment(everything, { seed: 4 });
  assert.deepEqual(await imagesOf(own, { epoch: 1, seed: 99 }), whole, 'a seed of its own holds');
  assert.notDeepEqual(await imagesOf(own, { epoch: 2 }), whole);
  assert.notDeepEqual(await imagesOf(dataset.batch(7).augment(everything), { epoch: 1, seed: 5 }), whole);

  const { numbers } = encodeStages(everything, [6, 5], 4, 'augment:0');
  const bytes = Uint8Array.from(range(23 * 90), (index) => word(1, index));
  const shape = Float64Array.of(23, 6, 5, 3);
  const [one, ...others] = await Promise.all(
    [1, 2, 3, 23, 64].map((pieces) => addon().augment(bytes, shape, numbers, 1, 2 ** 33 - 7, pieces)),
  );
  for (const other of others) assert.deepEqual(other, one);
  const later = await addon().augment(
    bytes.slice(90 * 20),
    Float64Array.of(3, 6, 5, 3),
    numbers,
    1,
    2 ** 33 - 7 + 20,
    1,
  );
  assert.deepEqual(new Uint8Array(later), new Uint8Array(one ?? later).slice(90 * 20), 'positions beyond 2^32');
});

test('the arrays that are given stay as they are, and may be used again at once', async () => {
  const data = Uint8Array.from(range(400), (index) => index % 256);
  const { numbers } = encodeStages([flip({ probability: 1 })], [10, 10], 0, 'augment:0');
  const first = augmentImages({ data, shape: [4, 10, 10, 1] }, numbers, 0, 0);
  data.fill(0);
  const second = augmentImages({ data, shape: [4, 10, 10, 1] }, numbers, 0, 0);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  assert.deepEqual((await first).slice(0, 10), Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  assert.deepEqual(await second, new Uint8Array(400));
});

test('what does not fit is refused', async () => {
  const loader = images([4, 5, 7, 1], 'u8').batch(2);
  const rejects = async (transforms: readonly Transform[], error: (error: unknown) => boolean, from: Loader = loader) =>
    assert.rejects(plainBatches(from.augment(transforms).epoch(0)), error);
  assert.throws(
    () => loader.augment([mixup(), flip()]),
    failure('E_ARGUMENT', /augment: expected mixup to come last, received flip after it/),
  );
  assert.throws(
    () => flip({ probability: 2 }),
    failure('E_RANGE', /flip: probability: expected a number within 0\.\.1, received 2/),
  );
  assert.throws(() => crop({ padding: -1 }), failure('E_RANGE', /crop: padding/));
  assert.throws(() => shift({ by: 0.5 }), failure('E_RANGE', /shift: by/));
  assert.throws(() => rotate({ degrees: Number.NaN }), failure('E_RANGE', /rotate: degrees/));
  assert.throws(
    () => rotate({ scale: [2, 1] }),
    failure('E_RANGE', /rotate: scale: expected a number within 2\.\.100, received 1/),
  );
  assert.throws(() => colour({ hue: 0.6 }), failure('E_RANGE', /colour: hue/));
  assert.throws(() => mixup({ alpha: 0 }), failure('E_RANGE', /mixup: expected alpha above 0/));
  await rejects([crop({ size: 6 })], failure('E_SHAPE', /crop: expected a size of at most 5 x 7, received 6 x 6/));
  await rejects(
    [crop({ padding: 5, border: 'reflect' })],
    failure('E_SHAPE', /augment: expected rows to reflect less than the image's 5 pixels/),
  );
  await rejects(
    [colour({ saturation: 0.5 })],
    failure('E_SHAPE', /augment: expected images of 3 or 4 channels for saturation and hue, received 1/),
  );
  await rejects([cutout({ size: 2, fill: 256 })], failure('E_RANGE', /augment: expected fill within 0\.\.255/));
  const flat = Dataset.fromArrays({ x: f32([1, 2], [1, 2]), y: i32([0]) }).batch(1);
  await rejects([flip()], failure('E_SHAPE', /augment: expected images \[N,H,W,C\], received x \[1,2\]/), flat);
  const ids = Dataset.fromArrays({ x: i32([1], [1, 1, 1, 1]), y: i32([0]) }).batch(1);
  await rejects([flip()], failure('E_DTYPE', /augment: expected images of u8 or f32, received i32/), ids);
  const unknown = fromIterable((epoch) => loader.epoch(epoch));
  await rejects([mixup()], failure('E_ARGUMENT', /mixup: expected the number of classes/), unknown);
  await rejects([mixup({ classes: 2 })], failure('E_RANGE', /mixup: expected classes within 0\.\.1, received 2/));
});

test('any list of transforms on any images keeps their type and does not leave their range', async () => {
  const any = fc.constantFrom<Transform>(
    ...everything,
    crop({ padding: 3, size: [4, 9] }),
    cutout({ size: 9, probability: 0.3 }),
  );
  const side = fc.integer({ min: 4, max: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(any, { maxLength: 6 }),
      side,
      side,
      fc.constantFrom<ImageType>('u8', 'f32'),
      async (list, height, width, dtype) => {
        const loader = images([3, height + 1, width + 3, 1], dtype)
          .batch(2)
          .augment(list);
        for (const { x } of await plainBatches(loader.epoch(0))) {
          assert.equal(x.dtype, dtype);
          assert.equal(
            x.data.length,
            x.shape.reduce((a, b) => a * b, 1),
          );
          assert.ok(x.data.every((value) => value >= 0 && value <= (dtype === 'u8' ? 255 : 1 + 1e-6)));
        }
      },
    ),
    { seed: 1, numRuns: 100 },
  );
});
