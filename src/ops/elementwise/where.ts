import { record } from '../../autograd/tape.js';
import { isNum } from '../../scalar.js';
import { dtypeCodes } from '../../tensor/dtype.js';
import { broadcastShapes } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { sumTo } from '../reduce/sum_to.js';
import { type Operand, promote, shapeOf } from './binary.js';
import { broadcastLoops, whereParams } from './params.js';

/** condition != 0 ? a : b, elementwise, all three broadcast; condition is i32. Either branch may be a number. */
export function where(condition: Tensor, left: Operand, right: Operand): Tensor {
  expectDType('where', 'condition', condition, 'i32');
  const { dtype, operands } = promote('where', left, right);
  const [a = left, b = right] = operands;
  const shape = broadcastShapes('where', condition.shape, broadcastShapes('where', shapeOf(a), shapeOf(b)));
  const out = empty(shape, dtype, condition.device);
  const { dims, strides } = broadcastLoops('where', shape, [condition.shape, shapeOf(a), shapeOf(b)]);
  const scalarA = isNum(a) ? a : 0;
  const scalarB = isNum(b) ? b : 0;
  dispatch(
    whereParams,
    {
      dtype: dtypeCodes[dtype],
      rank: dims.length,
      dims,
      strideCondition: strides[0] ?? [],
      strideA: strides[1] ?? [],
      strideB: strides[2] ?? [],
      scalarA,
      scalarB,
      ...(dtype === 'i32' ? { intScalarA: scalarA, intScalarB: scalarB } : {}),
    },
    [condition, isNum(a) ? null : a, isNum(b) ? null : b],
    [out],
  );
  const tensors = [a, b].map((operand) => (isNum(operand) ? null : operand));
  return record(
    'where',
    out,
    [condition, ...tensors],
    (dy, needs, places) => [
      null,
      tensors[0] && needs[1] ? sumTo(where(condition, dy, 0), tensors[0].shape, places[1]) : null,
      tensors[1] && needs[2] ? sumTo(where(condition, 0, dy), tensors[1].shape, places[2]) : null,
    ],
    { saved: [condition] },
  );
}
