// Matrix products (kernels/sgemm/sgemm.h).
import { named, record, records } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, type FloatDType, storedLike } from '../../tensor/dtype.js';
import { broadcastShapes, formatShape, type Shape, sameShape, sizeOf } from '../../tensor/shape.js';
import { empty, type Place, type Tensor, targetAt } from '../../tensor/tensor.js';
import { activationCode, type FusedActivation } from '../activation.js';
import { dispatch, expectDType } from '../dispatch.js';
import { broadcastTo } from '../elementwise/binary.js';
import { reshape } from '../reshape.js';
import { type MatmulForm, matmulRule } from './sgemm.grad.js';

export const sgemmParams = struct('sgemm', {
  batch: 'u32',
  m: 'u32',
  n: 'u32',
  k: 'u32',
  transA: 'u32',
  transB: 'u32',
  strideA: 'u32',
  strideB: 'u32',
  accumulate: 'u32',
  activation: 'u32',
});

export interface MatmulOptions {
  /** a is [...,K,M] instead of [...,M,K]. */
  readonly transposeA?: boolean;
  /** b is [...,N,K] instead of [...,K,N]. */
  readonly transposeB?: boolean;
  /** [N], added to each row before the activation. */
  readonly bias?: Tensor | null;
  /** Applied in registers. Default 'none'. */
  readonly activation?: FusedActivation;
  /** How the result is stored; sums are f32 either way. Default f16 where both a and b are, else f32. */
  readonly dtype?: FloatDType;
}

export interface LinearOptions {
  readonly activation?: FusedActivation;
}

/** The last two dimensions, swapped where the operand is transposed. */
function matrixOf(name: string, x: Tensor, transposed: boolean): readonly [rows: number, columns: number] {
  const rows = x.shape[x.shape.length - 2];
  const columns = x.shape[x.shape.length - 1];
  if (rows === undefined || columns === undefined) {
    throw new AnnealError(
      'E_SHAPE',
      `matmul: expected ${name} to have 2 dimensions or more, received ${formatShape(x.shape)}`,
    );
  }
  return transposed ? [columns, rows] : [rows, columns];
}

/** Stretches leading dimensions to `batch`, unless they are all of it or a single matrix, which the kernel repeats. */
function stretch(x: Tensor, batch: Shape): Tensor {
  const own = x.shape.slice(0, -2);
  if (sizeOf(own) === 1 || sizeOf(own) === sizeOf(batch)) return x;
  return broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
}

/**
 * y = activation(op(a) op(b) + bias), op(a) [...,M,K], op(b) [...,K,N], y [...,M,N]; leading dimensions broadcast by
 * NumPy's rules. f32 or f16. @throws E_SHAPE, E_DTYPE, E_ARGUMENT
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor<FloatDType> {
  return multiply(a, b, options);
}

/** As `matmul`; two matrices are multiplied into `place` [M,N], if there is one, or added to what it holds. */
export function multiply(a: Tensor, b: Tensor, options: MatmulOptions, place?: Place): Tensor<FloatDType> {
  const { transposeA = false, transposeB = false, bias = null, activation = 'none' } = options;
  const { dtype = a.dtype === 'f16' && b.dtype === 'f16' ? 'f16' : 'f32' } = options;
  expectDType('matmul', 'a', a, 'f32');
  expectDType('matmul', 'b', b, 'f32');
  const [m, k] = matrixOf('a', a, transposeA);
  const [depth, n] = matrixOf('b', b, transposeB);
  if (depth !== k) {
    throw new AnnealError(
      'E_SHAPE',
      `matmul: expected K of b to be ${k}, received ${depth} (a ${formatShape(a.shape)}, b ${formatShape(b.shape)})`,
    );
  }
  if (bias) {
    expectDType('matmul', 'bias', bias, 'f32');
    if (!sameShape(bias.shape, [n])) {
      throw new AnnealError('E_SHAPE', `matmul: expected bias [${n}], received ${formatShape(bias.shape)}`);
    }
  }
  const code = activationCode('matmul', activation);
  if (a.rank === 2 && b.rank === 2) {
    const { out: y, accumulate } =
      dtype === 'f16' ? { out: empty([m, n], dtype, a.device), accumulate: false } : targetAt(place, [m, n], a.device);
    const values = { batch: 1, m, n, k, transA: transposeA, transB: transposeB, accumulate, activation: code };
    dispatch(sgemmParams, values, [a, b, bias], [y]);
    return recorded(y, a, b, bias, { transposeA, transposeB, activation });
  }
  const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, m, n];

  // One b for many a: a single tall product, whose backward is one too.
  if (!transposeA && a.rank > 2 && sizeOf(b.shape.slice(0, -2)) === 1) {
    const rows = reshape(a, [sizeOf(a.shape.slice(0, -1)), k]);
    return reshape(matmul(rows, reshape(b, b.shape.slice(-2)), options), shape);
  }
  const left = stretch(a, batch);
  const right = stretch(b, batch);
  const y = empty(shape, dtype, a.device);
  dispatch(
    sgemmParams,
    {
      batch: sizeOf(batch),
      m,
      n,
      k,
      transA: transposeA,
      transB: transposeB,
      strideA: left.size === m * k ? 0 : m * k,
      strideB: right.size === k * n ? 0 : k * n,
      activation: code,
    },
    [left, right, bias],
    [y],
  );
  return recorded(y, left, right, bias, { transposeA, transposeB, activation });
}

function recorded<D extends DType>(
  y: Tensor<D>,
  a: Tensor,
  b: Tensor,
  bias: Tensor | null,
  form: MatmulForm,
): Tensor<D> {
  const inputs = [a, b, bias];
  if (!records(inputs)) return named('matmul', y);
  const saved = form.activation === 'none' ? [a, b] : [a, b, y];
  return record('matmul', y, inputs, matmulRule(a, b, y, form), { saved });
}

/**
 * A dense layer: y = activation(x w + bias), x [...,K], w [K,N], bias [N] or null, y [...,N], stored as x is.
 * @throws E_SHAPE, E_DTYPE, E_ARGUMENT
 */
export function linear(
  x: Tensor,
  w: Tensor,
  bias: Tensor | null = null,
  { activation = 'none' }: LinearOptions = {},
): Tensor<FloatDType> {
  const [k, n] = w.shape;
  if (w.rank !== 2 || k === undefined || n === undefined || x.rank < 1 || x.shape.at(-1) !== k) {
    throw new AnnealError(
      'E_SHAPE',
      `linear: expected x [...,K] and w [K,N], received x ${formatShape(x.shape)}, w ${formatShape(w.shape)}`,
    );
  }
  const lead = x.shape.slice(0, -1);
  const y = matmul(lead.length === 1 ? x : reshape(x, [sizeOf(lead), k]), w, {
    bias,
    activation,
    dtype: storedLike(x),
  });
  return lead.length === 1 ? y : reshape(y, [...lead, n]);
}
