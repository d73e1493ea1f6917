// Datasets of array files: IDX, npy and npz.
import { AnnealError } from '../errors.js';
import type { HostTensor } from '../io/host_tensor.js';
import { type IdxTensor, readIdx } from '../io/idx.js';
import { type NpyOptions, readNpy, readNpz } from '../io/npy.js';
import { Dataset, type DatasetOptions } from './dataset.js';

export type IdxOptions = Pick<DatasetOptions, 'normalize' | 'classes'>;

/** Bytes as 0..1. */
export const unitRange = { scale: 1 / 255, offset: 0 } as const;

const asFloats = ({ data, shape }: IdxTensor): HostTensor => ({ data: Float32Array.from(data), shape, dtype: 'f32' });

/**
 * A dataset of two IDX files, plain or gzip, as those of MNIST and its successors: images [N, H, W] become x [N, H, W, 1], u8
 * with normalize 1/255 (other types f32, without); integer labels become y i32, others f32.
 * @throws AnnealError E_IO when a file cannot be read, E_FORMAT when it is no IDX file, E_SHAPE when the lengths differ.
 */
export async function idx(imagesPath: string, labelsPath: string, options: IdxOptions = {}): Promise<Dataset> {
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)]);
  const shape = images.shape.length === 3 ? [...images.shape, 1] : images.shape;
  const { data } = images;
  const bytes = data instanceof Uint8Array;
  const x: HostTensor = bytes ? { data, shape, dtype: 'u8' } : { ...asFloats(images), shape };
  const y: HostTensor =
    labels.dtype === 'f32' || labels.dtype === 'f64'
      ? asFloats(labels)
      : { data: Int32Array.from(labels.data), shape: labels.shape, dtype: 'i32' };
  return Dataset.fromArrays({ x, y }, bytes ? { normalize: unitRange, ...options } : options);
}

export interface NpyDatasetOptions extends DatasetOptions, NpyOptions {}

/** Labels of bytes are classes like any other. */
const classesAsInts = (y: HostTensor): HostTensor =>
  y.dtype === 'u8' && y.shape.length === 1 ? { data: Int32Array.from(y.data), shape: y.shape, dtype: 'i32' } : y;

/**
 * A dataset of two .npy files, x [N, ...] and y [N, ...]. `convert: true` also takes float64 and int64, NumPy's own types for
 * numbers, as f32 and i32.
 * @throws AnnealError as `io.readNpy`; E_SHAPE when the lengths differ.
 */
export async function npy(xPath: string, yPath: string, options: NpyDatasetOptions = {}): Promise<Dataset> {
  const { convert, ...rest } = options;
  const read = convert === undefined ? {} : { convert };
  const [x, y] = await Promise.all([readNpy(xPath, read), readNpy(yPath, read)]);
  return Dataset.fromArrays({ x, y: classesAsInts(y) }, rest);
}

export interface NpzOptions extends NpyDatasetOptions {
  /** The name of the inputs in the archive. Default 'x'. */
  readonly x?: string;
  /** The name of the targets. Default 'y'. */
  readonly y?: string;
}

/**
 * A dataset of two arrays in an .npz archive.
 * @throws AnnealError as `io.readNpz`; E_FORMAT when a name is not there, E_SHAPE when the lengths differ.
 */
export async function npz(path: string, options: NpzOptions = {}): Promise<Dataset> {
  const { x = 'x', y = 'y', convert, ...rest } = options;
  const arrays = await readNpz(path, convert === undefined ? {} : { convert });
  const named = (name: string): HostTensor => {
    const found = Object.hasOwn(arrays, name) ? arrays[name] : undefined;
    if (found === undefined) {
      throw new AnnealError(
        'E_FORMAT',
        `${path}: expected an array "${name}", received ${Object.keys(arrays).join(', ') || 'an empty archive'}`,
      );
    }
    return found;
  };
  return Dataset.fromArrays({ x: named(x), y: classesAsInts(named(y)) }, rest);
}
