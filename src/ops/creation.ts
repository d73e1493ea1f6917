// Tensors from nothing.
import type { DeviceName } from '../backend/backend.js';
import { AnnealError } from '../errors.js';
import { type DType, dtypeCodes, isFloat } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import { empty, type Tensor, tensor } from '../tensor/tensor.js';
import { dispatch } from './dispatch.js';
import { fillParams } from './elementwise/params.js';

export interface CreationOptions<D extends DType> {
  /** Default f32. */
  readonly dtype?: D;
  readonly device?: DeviceName;
}

/** Every element `value`. */
export function full<D extends DType = 'f32'>(
  shape: Shape,
  value: number,
  options: CreationOptions<D> = {},
): Tensor<D> {
  const dtype = (options.dtype ?? 'f32') as D;
  const out = empty([...shape], dtype, options.device);
  fill(out, value);
  return out;
}

/** Overwrites every element, in place and off the tape. */
export function fill(target: Tensor, value: number): void {
  const { dtype } = target;
  if (!isFloat(dtype) && !Number.isInteger(value)) {
    throw new AnnealError('E_ARGUMENT', `fill: expected an integer for ${dtype}, received ${value}`);
  }
  dispatch(
    fillParams,
    { dtype: dtypeCodes[dtype], count: target.size, value, intValue: isFloat(dtype) ? 0 : value },
    [],
    [target],
  );
  target.storage.version++;
}

export function zeros<D extends DType = 'f32'>(shape: Shape, options: CreationOptions<D> = {}): Tensor<D> {
  return full(shape, 0, options);
}

export function ones<D extends DType = 'f32'>(shape: Shape, options: CreationOptions<D> = {}): Tensor<D> {
  return full(shape, 1, options);
}

export function zerosLike<D extends DType>(x: Tensor<D>): Tensor<D> {
  return full(x.shape, 0, { dtype: x.dtype, device: x.device });
}

export function onesLike<D extends DType>(x: Tensor<D>): Tensor<D> {
  return full(x.shape, 1, { dtype: x.dtype, device: x.device });
}

/** start, start + step, ... below stop, as f32, f16 or i32. @throws E_ARGUMENT when step is 0 */
export function arange<D extends 'f32' | 'f16' | 'i32' = 'f32'>(
  start: number,
  stop: number,
  step = 1,
  options: CreationOptions<D> = {},
): Tensor<D> {
  if (!(Math.abs(step) > 0) || !Number.isFinite(start) || !Number.isFinite(stop)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `arange: expected finite bounds and a step other than 0, received ${start}, ${stop}, ${step}`,
    );
  }
  const length = Math.max(0, Math.ceil((stop - start) / step));
  return tensor(
    Array.from({ length }, (_, i) => start + i * step),
    [length],
    { ...options, dtype: (options.dtype ?? 'f32') as D },
  );
}

/** `count` values from start to stop, both included. */
export function linspace(start: number, stop: number, count: number): Tensor<'f32'> {
  if (!Number.isInteger(count) || count < 0)
    throw new AnnealError('E_ARGUMENT', `linspace: expected a count of at least 0, received ${count}`);
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  return tensor(
    Array.from({ length: count }, (_, i) => start + i * step),
    [count],
  );
}

/** The identity matrix [n, n]. */
export function eye(n: number): Tensor<'f32'> {
  const values = new Float32Array(n * n);
  for (let i = 0; i < n; i++) values[i * n + i] = 1;
  return tensor(values, [n, n]);
}
