// Softmax and its logarithm along an axis (kernels/softmax/softmax.h), and the stable log of a sum of exponentials.
import { noGrad, record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { type DType, type StoredLike, storedLike } from '../../tensor/dtype.js';
import { normalizeAxis, type Shape } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { widened } from '../elementwise/cast.js';
import { add, exp, isFinite as finite, log, sub, where } from '../elementwise/elementwise.js';
import { type Axes, max, type ReduceOptions, sum } from '../reduce/reduce.js';
import { reshape } from '../reshape.js';
import { transpose } from '../strided_copy/strided_copy.js';
import { logSoftmaxGradBackward, softmaxGradBackward } from './softmax.grad.js';

const fields = { rows: 'u32', cols: 'u32', log: 'u32' } as const;

export const softmaxParams = struct('softmax', fields);
export const softmaxBackwardParams = struct('softmax_backward', fields);

/** The tensor as rows of its last dimension. */
function rowsOf(shape: Shape): { rows: number; cols: number } {
  const cols = shape.at(-1) ?? 1;
  return { rows: shape.slice(0, -1).reduce((size, dim) => size * dim, 1), cols };
}

/** The gradient of softmax, or of its logarithm, along the last axis, from its result y. */
export function softmaxGrad(y: Tensor, dy: Tensor, isLog: boolean): Tensor<'f32'> {
  const out = empty(y.shape, 'f32', y.device);
  dispatch(softmaxBackwardParams, { ...rowsOf(y.shape), log: isLog }, [y, dy], [out]);
  const rule = isLog ? logSoftmaxGradBackward(y, dy) : softmaxGradBackward(y, dy);
  return record('softmaxGrad', out, [y, dy], rule, { saved: [y, dy] });
}

function alongLast<D extends DType>(name: string, x: Tensor<D>, isLog: boolean): Tensor<StoredLike<D>> {
  const out = empty(x.shape, storedLike(x), x.device);
  dispatch(softmaxParams, { ...rowsOf(x.shape), log: isLog }, [x], [out]);
  return record(name, out, [x], (dy) => [softmaxGrad(out, dy, isLog)], { saved: [out] });
}

function along<D extends DType>(name: string, x: Tensor<D>, axis: number, isLog: boolean): Tensor<StoredLike<D>> {
  expectDType(name, 'x', x, 'f32');
  const at = normalizeAxis(name, axis, x.rank);
  const last = x.rank - 1;
  if (at === last) return alongLast(name, x, isLog);
  const swap = x.shape.map((_, i) => (i === at ? last : i === last ? at : i));
  return transpose(alongLast(name, transpose(x, swap), isLog), swap);
}

/** e^x / sum e^x along an axis; default: the last. @throws E_SHAPE, E_DTYPE */
export function softmax<D extends DType>(x: Tensor<D>, axis = -1): Tensor<StoredLike<D>> {
  return along('softmax', x, axis, false);
}

/** x - ln sum e^x along an axis; default: the last. @throws E_SHAPE, E_DTYPE */
export function logSoftmax<D extends DType>(x: Tensor<D>, axis = -1): Tensor<StoredLike<D>> {
  return along('logSoftmax', x, axis, true);
}

/** ln sum e^x over axes, without overflow; -inf where all items are. @throws E_SHAPE over nothing, E_DTYPE */
export function logSumExp(input: Tensor, axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor {
  expectDType('logSumExp', 'x', input, 'f32');
  const x = widened(input);
  // The shift cancels out of the result and of its derivatives. An infinite one would make inf - inf.
  const shift = noGrad(() => {
    const largest = max(x, axes, { keepDims: true });
    return where(finite(largest), largest, 0);
  });
  const total = sum(exp(sub(x, shift)), axes, { keepDims });
  return add(log(total), reshape(shift, total.shape));
}
