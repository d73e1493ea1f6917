// From tensors to the queue: one op call. An op function infers its output's shape, allocates it with `empty`, calls
// `dispatch`, and returns `record(...)`, which puts the call on the tape:
//
//   const out = empty([m, n], 'f32', a.device);
//   dispatch(sgemmParams, { batch: 1, m, n, k }, [a, b, bias], [out]);
//   return record('sgemm', out, [a, b, bias], matmulBackward(a, b), { saved: [a, b] });
//
// Checks that a user can get wrong (shapes, dtypes, ranges) belong in the op function, with the shapes in the message;
// the addon's own check is the last net.
import type { Backend, OpName } from '../backend/backend.js';
import type { FieldSpec, FieldValues, ParamStruct } from '../backend/params.js';
import { AnnealError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

const MAX_OPERANDS = 16;
const operands = new Float64Array(3 * MAX_OPERANDS);

function place(index: number, tensor: Tensor | null | undefined): void {
  const at = 3 * index;
  if (tensor === null || tensor === undefined) {
    operands[at] = 0;
    return;
  }
  operands[at] = tensor.storage.handle;
  operands[at + 1] = tensor.byteOffset;
  operands[at + 2] = tensor.byteLength;
}

/**
 * The operands as `Backend.run` takes them, and the device they share. The array is reused: valid until the next call.
 * @throws E_DEVICE, E_DISPOSED, E_ARGUMENT
 */
export function encodeOperands(
  op: OpName,
  inputs: readonly (Tensor | null | undefined)[],
  outputs: readonly (Tensor | null | undefined)[],
): { backend: Backend; operands: Float64Array } {
  const backend = (outputs[0] ?? inputs[0])?.storage.backend;
  if (backend === undefined) throw new AnnealError('E_ARGUMENT', `${op}: expected at least one operand`);
  let index = 0;
  for (const list of [inputs, outputs]) {
    for (const tensor of list) {
      if (tensor && tensor.storage.backend !== backend) {
        throw new AnnealError(
          'E_DEVICE',
          `${op}: expected tensors on one device, received ${backend.name} and ${tensor.device}`,
        );
      }
      place(index++, tensor);
    }
  }
  return { backend, operands };
}

/** Enqueues one op on the device of its operands. Absent operands are null. @throws E_DISPOSED, E_DEVICE, E_SHAPE, ... */
export function dispatch<F extends Record<string, FieldSpec>>(
  params: ParamStruct<F>,
  values: FieldValues<F>,
  inputs: readonly (Tensor | null | undefined)[],
  outputs: readonly (Tensor | null | undefined)[],
): void {
  const { backend } = encodeOperands(params.op, inputs, outputs);
  backend.run(params.op, params.encode(values), operands, inputs.length, outputs.length);
}

/** @throws E_DTYPE unless the tensor has one of the dtypes */
export function expectDType(op: OpName | string, name: string, tensor: Tensor, ...dtypes: readonly DType[]): void {
  if (!dtypes.includes(tensor.dtype)) {
    throw new AnnealError(
      'E_DTYPE',
      `${op}: expected ${name} to be ${dtypes.join(' or ')}, received ${tensor.dtype} ${formatShape(tensor.shape)}`,
    );
  }
}

/** @throws E_SHAPE unless the tensor has the rank */
export function expectRank(op: OpName | string, name: string, tensor: Tensor, rank: number): void {
  if (tensor.rank !== rank) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected ${name} to have ${rank} dimensions, received ${formatShape(tensor.shape)}`,
    );
  }
}
