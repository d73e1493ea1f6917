import { record } from '../../autograd/tape.js';
import { type DType, dtypeCodes, isFloat } from '../../tensor/dtype.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import { reshape } from '../reshape.js';
import { castParams } from './params.js';
import { affine } from './unary.js';

export interface CastOptions {
  /** To f32 or f16 only: scale * x + offset. Default 1. */
  readonly scale?: number;
  /** Default 0. */
  readonly offset?: number;
}

/**
 * x as another dtype. To an integer it truncates toward zero and saturates, NaN gives 0. To f32, scale and offset are
 * applied on the way, as images want it. To f16 it rounds to the nearest, to infinity from 65520 on; the gradient, f32 as all are, is
 * not rounded. A cast to the same dtype is a view.
 */
export function cast<D extends DType>(x: Tensor, dtype: D, { scale = 1, offset = 0 }: CastOptions = {}): Tensor<D> {
  if (isA(x, dtype) && scale === 1 && offset === 0) return reshape(x, x.shape);
  const out = empty(x.shape, dtype, x.device);
  // Added to -0, 0 would make it 0.
  const added = scale === 1 && offset === 0 ? -0 : offset;
  dispatch(
    castParams,
    { from: dtypeCodes[x.dtype], to: dtypeCodes[dtype], count: x.size, scale, offset: added },
    [x],
    [out],
  );
  if (!isFloat(x.dtype) || !isFloat(dtype)) return out;
  return record('cast', out, [x], (dy) => [scale === 1 ? dy : affine(dy, scale)], { saved: [] });
}

/** x as ops compute with it. */
export function widened(x: Tensor): Tensor {
  return x.dtype === 'f16' ? cast(x, 'f32') : x;
}

function isA<D extends DType>(x: Tensor, dtype: D): x is Tensor<D> {
  return x.dtype === dtype;
}
