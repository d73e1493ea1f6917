import { record } from '../../autograd/tape.js';
import { type DType, dtypeCodes } from '../../tensor/dtype.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import { reshape } from '../reshape.js';
import { castParams } from './params.js';
import { affine } from './unary.js';

export interface CastOptions {
  /** To f32 only: scale * x + offset. Default 1. */
  readonly scale?: number;
  /** Default 0. */
  readonly offset?: number;
}

/**
 * x as another dtype. To an integer it truncates toward zero and saturates, NaN gives 0. To f32, scale and offset are
 * applied on the way, as images want it. A cast to the same dtype is a view.
 */
export function cast<D extends DType>(x: Tensor, dtype: D, { scale = 1, offset = 0 }: CastOptions = {}): Tensor<D> {
  if (isA(x, dtype) && scale === 1 && offset === 0) return reshape(x, x.shape);
  const out = empty(x.shape, dtype, x.device);
  dispatch(castParams, { from: dtypeCodes[x.dtype], to: dtypeCodes[dtype], count: x.size, scale, offset }, [x], [out]);
  if (x.dtype !== 'f32' || dtype !== 'f32') return out;
  return record('cast', out, [x], (dy) => [affine(dy, scale)], { saved: [] });
}

function isA<D extends DType>(x: Tensor, dtype: D): x is Tensor<D> {
  return x.dtype === dtype;
}
