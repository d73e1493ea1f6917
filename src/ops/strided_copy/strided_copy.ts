// Ops that move items: transpose, slice, pad, concat, stack, split, flip.
import { record } from '../../autograd/tape.js';
import { AnnealError } from '../../errors.js';
import { type DType, isFloat } from '../../tensor/dtype.js';
import { formatShape, normalizeAxes, normalizeAxis, type Shape, stridesOf } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { full } from '../creation.js';
import { broadcastTo } from '../elementwise/elementwise.js';
import { reshape } from '../reshape.js';
import { copyStrided } from './copy.js';

export { copyInto } from './copy.js';

const at = (list: readonly number[], i: number): number => list[i] ?? 0;

/** The axes in another order; default: reversed, which for a matrix is its transpose. @throws E_SHAPE */
export function transpose<D extends DType>(
  x: Tensor<D>,
  axes: readonly number[] = x.shape.map((_, i) => x.rank - 1 - i),
): Tensor<D> {
  if (axes.length !== x.rank) {
    throw new AnnealError('E_SHAPE', `transpose: expected ${x.rank} axes, received ${formatShape(axes)}`);
  }
  const order = axes.map((axis) => normalizeAxis('transpose', axis, x.rank));
  normalizeAxes('transpose', order, x.rank); // distinct
  const shape = order.map((axis) => at(x.shape, axis));
  const out = empty(shape, x.dtype, x.device);
  const strides = stridesOf(x.shape);
  copyStrided(
    'transpose',
    shape,
    { tensor: x, strides: order.map((axis) => at(strides, axis)) },
    { tensor: out, strides: stridesOf(shape) },
  );
  const inverse = order.map((_, i) => order.indexOf(i));
  return record('transpose', out, [x], (dy) => [transpose(dy, inverse)], { saved: [] });
}

/** The box that starts at `begin` and has shape `size`; -1 takes all from there on. @throws E_RANGE outside of x */
export function slice<D extends DType>(x: Tensor<D>, begin: readonly number[], size: readonly number[]): Tensor<D> {
  const starts = x.shape.map((_, i) => at(begin, i));
  const shape = x.shape.map((dim, i) => ((size[i] ?? -1) === -1 ? dim - at(starts, i) : at(size, i)));
  const fits =
    begin.length <= x.rank &&
    size.length <= x.rank &&
    x.shape.every((dim, i) => {
      const [start, length] = [at(starts, i), at(shape, i)];
      return Number.isInteger(start) && Number.isInteger(length) && start >= 0 && length >= 0 && start + length <= dim;
    });
  if (!fits) {
    throw new AnnealError(
      'E_RANGE',
      `slice: expected a box within ${formatShape(x.shape)}, received begin ${formatShape(begin)}, size ${formatShape(size)}`,
    );
  }
  const out = empty(shape, x.dtype, x.device);
  const strides = stridesOf(x.shape);
  const offset = strides.reduce((sum, stride, i) => sum + stride * at(starts, i), 0);
  if (out.size > 0)
    copyStrided('slice', shape, { tensor: x, strides, offset }, { tensor: out, strides: stridesOf(shape) });
  const pads = x.shape.map((dim, i): [number, number] => [at(starts, i), dim - at(starts, i) - at(shape, i)]);
  return record('slice', out, [x], (dy) => [pad(dy, pads)], { saved: [] });
}

/** x with `value` around it: pads[i] = [before, after] along axis i. @throws E_ARGUMENT on negative pads */
export function pad<D extends DType>(x: Tensor<D>, pads: readonly (readonly [number, number])[], value = 0): Tensor<D> {
  if (pads.length !== x.rank || !pads.flat().every((n) => Number.isInteger(n) && n >= 0)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `pad: expected ${x.rank} pairs of integers of at least 0, received ${JSON.stringify(pads)}`,
    );
  }
  const before = pads.map(([first]) => first);
  const shape = x.shape.map((dim, i) => dim + at(before, i) + (pads[i]?.[1] ?? 0));
  const out = full(shape, value, { dtype: x.dtype, device: x.device });
  const strides = stridesOf(shape);
  const offset = strides.reduce((sum, stride, i) => sum + stride * at(before, i), 0);
  if (x.size > 0)
    copyStrided('pad', x.shape, { tensor: x, strides: stridesOf(x.shape) }, { tensor: out, strides, offset });
  out.storage.version = 0;
  return record('pad', out, [x], (dy) => [slice(dy, before, x.shape)], { saved: [] });
}

/** Tensors one after the other along an axis; the other dimensions agree; f16 beside f32 gives f32. @throws E_SHAPE, E_DTYPE */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = tensors;
  if (first === undefined) throw new AnnealError('E_ARGUMENT', 'concat: expected at least one tensor, received none');
  const along = normalizeAxis('concat', axis, first.rank);
  const widens = first.dtype === 'f16' && tensors.some((tensor) => tensor.dtype === 'f32');
  const dtype = widens ? 'f32' : first.dtype;
  for (const tensor of tensors) {
    if (tensor.rank !== first.rank || tensor.shape.some((dim, i) => i !== along && dim !== first.shape[i])) {
      throw new AnnealError(
        'E_SHAPE',
        `concat: expected shapes that agree outside of axis ${along}, received ${formatShape(first.shape)} and ${formatShape(tensor.shape)}`,
      );
    }
    if (tensor.dtype !== dtype && !(isFloat(dtype) && isFloat(tensor.dtype))) {
      throw new AnnealError('E_DTYPE', `concat: expected tensors of one dtype, received ${dtype} and ${tensor.dtype}`);
    }
  }
  const sizes = tensors.map((tensor) => at(tensor.shape, along));
  const total = sizes.reduce((a, b) => a + b, 0);
  const shape = first.shape.map((dim, i) => (i === along ? total : dim));
  const out = empty(shape, dtype, first.device);
  const strides = stridesOf(shape);
  let start = 0;
  const starts = sizes.map((size) => {
    const begin = start;
    start += size;
    return begin;
  });
  tensors.forEach((tensor, i) => {
    const offset = at(starts, i) * at(strides, along);
    if (tensor.size > 0)
      copyStrided(
        'concat',
        tensor.shape,
        { tensor, strides: stridesOf(tensor.shape) },
        { tensor: out, strides, offset },
      );
  });
  return record(
    'concat',
    out,
    tensors,
    (dy, needs) =>
      tensors.map((tensor, i) => {
        if (!needs[i]) return null;
        const begin = shape.map((_, d) => (d === along ? at(starts, i) : 0));
        return slice(dy, begin, tensor.shape);
      }),
    { saved: [] },
  );
}

/** Tensors of one shape along a new axis. @throws E_SHAPE, E_DTYPE */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = tensors;
  if (first === undefined) throw new AnnealError('E_ARGUMENT', 'stack: expected at least one tensor, received none');
  const along = normalizeAxis('stack', axis, first.rank + 1);
  const lift = (shape: Shape): number[] => [...shape.slice(0, along), 1, ...shape.slice(along)];
  return concat(
    tensors.map((tensor) => reshape(tensor, lift(tensor.shape))),
    along,
  );
}

/** Parts along an axis: `parts` equal ones, or of the given sizes. @throws E_SHAPE when they do not add up */
export function split<D extends DType>(x: Tensor<D>, parts: number | readonly number[], axis = 0): Tensor<D>[] {
  const along = normalizeAxis('split', axis, x.rank);
  const dim = at(x.shape, along);
  const sizes = typeof parts === 'number' ? Array.from({ length: parts }, () => dim / parts) : parts;
  if (sizes.reduce((a, b) => a + b, 0) !== dim || !sizes.every((size) => Number.isInteger(size) && size >= 0)) {
    throw new AnnealError('E_SHAPE', `split: expected parts that add up to ${dim}, received ${JSON.stringify(parts)}`);
  }
  let start = 0;
  return sizes.map((size) => {
    const begin = x.shape.map((_, i) => (i === along ? start : 0));
    start += size;
    return slice(
      x,
      begin,
      x.shape.map((d, i) => (i === along ? size : d)),
    );
  });
}

/** The items in reverse order along the given axes; default: all. */
export function flip<D extends DType>(x: Tensor<D>, axes?: number | readonly number[]): Tensor<D> {
  const list = normalizeAxes('flip', axes, x.rank);
  const out = empty(x.shape, x.dtype, x.device);
  const strides = stridesOf(x.shape);
  const reversed = strides.map((stride, i) => (list.includes(i) ? -stride : stride));
  const offset = list.reduce((sum, axis) => sum + at(strides, axis) * (at(x.shape, axis) - 1), 0);
  if (x.size > 0) copyStrided('flip', x.shape, { tensor: x, strides: reversed, offset }, { tensor: out, strides });
  return record('flip', out, [x], (dy) => [flip(dy, list)], { saved: [] });
}

/** x repeated `repeats[i]` times along axis i. @throws E_ARGUMENT unless there is one integer of at least 0 for each axis */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  if (repeats.length !== x.rank || !repeats.every((n) => Number.isInteger(n) && n >= 0)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `tile: expected ${x.rank} integers of at least 0, received ${formatShape(repeats)}`,
    );
  }
  // [d0, d1] -> [1, d0, 1, d1] -> [r0, d0, r1, d1] -> [r0 d0, r1 d1]; an axis that is not repeated stays as it is.
  const lifted = x.shape.flatMap((dim, i) => (repeats[i] === 1 ? [dim] : [1, dim]));
  const stretched = x.shape.flatMap((dim, i) => (repeats[i] === 1 ? [dim] : [at(repeats, i), dim]));
  const shape = x.shape.map((dim, i) => dim * at(repeats, i));
  return reshape(broadcastTo(reshape(x, lifted), stretched), shape);
}
