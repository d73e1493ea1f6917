// Datasets of array files and of image folders.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { idx, imageDecoder, imageFolder, npy, npz } from '../../src/data/index.js';
import { writeNpy, writeNpz } from '../../src/io/index.js';
import { f32, failure, i32, temporaryFolder, u8 } from '../io/host.js';
import { labelsOf, plainBatches } from './batches.js';

/** An IDX file of this type, whose elements are these bytes. */
function idxFile(type: number, shape: readonly number[], bytes: readonly number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  for (const [axis, dimension] of shape.entries()) header.writeUInt32BE(dimension, 4 + 4 * axis);
  return Buffer.concat([header, Uint8Array.from(bytes)]);
}

test('idx: images with a channel, labels as classes', async (context) => {
  const folder = await temporaryFolder(context);
  const write = async (name: string, bytes: Uint8Array): Promise<string> => {
    await writeFile(join(folder, name), bytes);
    return join(folder, name);
  };
  const images = await write('images.gz', gzipSync(idxFile(8, [2, 1, 2], [1, 2, 3, 255])));
  const labels = await write('labels', idxFile(8, [2], [4, 7]));
  const dataset = await idx(images, labels);
  assert.deepEqual(dataset.normalize, { scale: 1 / 255, offset: 0 });
  assert.deepEqual(
    [...dataset.batch(2).epoch(0)],
    [{ x: u8([1, 2, 3, 255], [2, 1, 2, 1]), y: i32([4, 7]), size: 2, position: 0 }],
  );
  const shorts = await write('shorts', idxFile(11, [2, 1], [255, 255, 1, 0]));
  const numbers = await idx(
    shorts,
    await write('doubles', idxFile(14, [2], [...new Array(8).fill(0), 63, 240, 0, 0, 0, 0, 0, 0])),
  );
  assert.deepEqual(
    [...numbers.batch(2).epoch(0)],
    [{ x: f32([-1, 256], [2, 1]), y: f32([0, 1]), size: 2, position: 0 }],
  );
  assert.equal(numbers.normalize, undefined);
  await assert.rejects(idx(images, await write('more', idxFile(8, [3], [1, 2, 3]))), failure('E_SHAPE', /same N/));
});

test('npy and npz', async (context) => {
  const folder = await temporaryFolder(context);
  const [x, y] = [f32([1, 2, 3, 4], [2, 2]), u8([0, 1])];
  await writeNpz(join(folder, 'both.npz'), { inputs: x, y });
  const dataset = await npz(join(folder, 'both.npz'), { x: 'inputs', classes: ['no', 'yes'] });
  assert.deepEqual([...dataset.batch(2).epoch(0)], [{ x, y: i32([0, 1]), size: 2, position: 0 }]);
  assert.deepEqual(dataset.classes, ['no', 'yes']);
  await assert.rejects(
    npz(join(folder, 'both.npz')),
    failure('E_FORMAT', /both\.npz: expected an array "x", received inputs, y$/),
  );
  await writeNpy(join(folder, 'x.npy'), x);
  await writeNpy(join(folder, 'y.npy'), f32([1, 2], [2, 1]));
  const pair = await npy(join(folder, 'x.npy'), join(folder, 'y.npy'), {
    normalize: { scale: 2, offset: 0 },
    convert: true,
  });
  assert.deepEqual([...pair.batch(2).epoch(0)], [{ x, y: f32([1, 2], [2, 1]), size: 2, position: 0 }]);
  assert.deepEqual(pair.normalize, { scale: 2, offset: 0 });
});

type Colour = readonly [red: number, green: number, blue: number];

async function picture(path: string, width: number, height: number, [r, g, b]: Colour): Promise<void> {
  await sharp({ create: { width, height, channels: 3, background: { r, g, b } } })
    .png()
    .toFile(path);
}

async function folderOf(context: TestContext): Promise<string> {
  const folder = await temporaryFolder(context);
  for (const name of ['dog', 'Cat/deep']) await mkdir(join(folder, name), { recursive: true });
  await picture(join(folder, 'dog', 'b.png'), 4, 4, [200, 100, 50]);
  await picture(join(folder, 'dog', 'a.PNG'), 2, 6, [10, 20, 30]);
  await picture(join(folder, 'Cat', 'z.png'), 8, 4, [0, 255, 0]);
  await picture(join(folder, 'Cat', 'deep', 'c.png'), 3, 3, [255, 0, 0]);
  await writeFile(join(folder, 'Cat', 'Thumbs.db'), 'no image');
  await picture(join(folder, 'stray.png'), 2, 2, [0, 0, 0]);
  return folder;
}

test('imageFolder: a class for each subfolder, decoded when a batch is asked for', async (context) => {
  const folder = await folderOf(context);
  const dataset = await imageFolder(folder, { size: 2 });
  assert.deepEqual(
    [dataset.classes, dataset.length, dataset.normalize],
    [['Cat', 'dog'], 4, { scale: 1 / 255, offset: 0 }],
  );
  const loader = dataset.batch(3);
  assert.deepEqual([loader.classCount, loader.batchesPerEpoch], [2, 2]);
  const whole = await plainBatches(loader.epoch(0));
  assert.deepEqual(
    whole.map(({ x, y }) => [x.shape, x.dtype, y.data]),
    [
      [[3, 2, 2, 3], 'u8', [0, 0, 1]],
      [[1, 2, 2, 3], 'u8', [1]],
    ],
  );
  const pixels = whole.flatMap(({ x }) => x.data);
  const every = (colour: Colour): number[] => [...colour, ...colour, ...colour, ...colour];
  assert.deepEqual(pixels, [
    ...every([255, 0, 0]),
    ...every([0, 255, 0]),
    ...every([10, 20, 30]),
    ...every([200, 100, 50]),
  ]);
  assert.deepEqual(await plainBatches(loader.epoch(0, { skip: 1 })), whole.slice(1));
  const dogs = await dataset.filter((y) => y === 1).load();
  assert.deepEqual((await plainBatches(dogs.batch(9).epoch(0)))[0]?.x.data, [
    ...every([10, 20, 30]),
    ...every([200, 100, 50]),
  ]);
  const grey = await imageFolder(folder, { size: [1, 2], channels: 1, normalize: { scale: 1, offset: 0 } });
  const [first] = await plainBatches(grey.skip(1).batch(1).epoch(0));
  assert.deepEqual([first?.x.shape, grey.normalize], [[1, 1, 2, 1], { scale: 1, offset: 0 }]);
  assert.ok((first?.x.data[0] ?? 0) > 150 && first?.x.data[0] === first?.x.data[1], `${first?.x.data}`);
});

test('imageFolder: channels, proportions and orientation', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'half.png');
  // The left half transparent red, the right half blue.
  const raw = Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 0, 0, 255, 255, 0, 0, 255, 255]);
  await sharp(raw, { raw: { width: 4, height: 1, channels: 4 } })
    .png()
    .toFile(path);
  const decoded = async (options: Parameters<typeof imageDecoder>[0]) =>
    Array.from((await (await imageDecoder(options))(path)).data);
  assert.deepEqual(await decoded({ size: [1, 4], channels: 4 }), Array.from(raw));
  assert.deepEqual(await decoded({ size: [1, 4] }), [255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255]);
  assert.deepEqual(await decoded({ size: [1, 2], fit: 'cover' }), [255, 0, 0, 0, 0, 255], 'cut on both sides');
  const contained = await decoded({ size: [3, 4], fit: 'contain' });
  assert.deepEqual(contained.slice(0, 12), new Array(12).fill(0), 'black edges');
  // Orientation 6: the camera was turned, the first column is the bottom row's left.
  const turned = await sharp(Uint8Array.from([9, 99]), { raw: { width: 2, height: 1, channels: 1 } })
    .png()
    .withMetadata({ orientation: 6 })
    .toBuffer();
  const tensor = await (await imageDecoder({ size: [2, 1], channels: 1 }))(turned);
  assert.deepEqual(tensor, u8([9, 99], [2, 1, 1]));
});

test('imageFolder: what does not decode is named, or left out and counted', async (context) => {
  const folder = await folderOf(context);
  await writeFile(join(folder, 'dog', 'broken.jpg'), 'no image');
  const strict = (await imageFolder(folder, { size: 2 })).batch(2);
  await assert.rejects(
    labelsOf(strict.epoch(0)),
    failure('E_FORMAT', /^record 4: .*broken\.jpg: expected an image \(/),
  );
  const lenient = (await imageFolder(folder, { size: 2, onBad: 'skip' })).batch(2);
  assert.deepEqual(await labelsOf(lenient.epoch(0)), [
    [0, 0],
    [1, 1],
  ]);
  assert.equal(lenient.skipped, 1);
  await assert.rejects(imageFolder(join(folder, 'dog'), { size: 2 }), failure('E_FORMAT', /found no image/));
  await assert.rejects(
    imageFolder(join(folder, 'none'), { size: 2 }),
    failure('E_IO', /none: expected a readable folder/),
  );
  await assert.rejects(imageFolder(folder, { size: 0 }), failure('E_RANGE', /size within 1\.\.65535, received 0/));
});
