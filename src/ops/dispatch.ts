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
import type { FieldSpec, FieldValues, Live, ParamStruct } from '../backend/params.js';
import { AnnealError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { recording } from '../tensor/recorder.js';
import { formatShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { tracking } from '../tensor/tracker.js';

type Operands = readonly (Tensor | null | undefined)[];

function backendFor(op: OpName, inputs: Operands, outputs: Operands): Backend {
  const backend = (outputs[0] ?? inputs[0])?.storage.backend;
  if (backend === undefined) throw new AnnealError('E_ARGUMENT', `${op}: expected at least one operand`);
  return backend;
}

/**
 * Writes (handle, byteOffset, byteLength) of each tensor, from triple `first` on, and gives the bits of those that are stored as
 * f16. @throws E_DEVICE, E_DISPOSED
 */
function placeAll(op: OpName, backend: Backend, tensors: Operands, to: Float64Array, first: number): number {
  let at = 3 * first;
  let half = 0;
  for (const tensor of tensors) {
    if (tensor === null || tensor === undefined) {
      to[at] = 0;
    } else {
      const { storage } = tensor;
      if (storage.backend !== backend) {
        throw new AnnealError(
          'E_DEVICE',
          `${op}: expected tensors on one device, received ${backend.name} and ${tensor.device}`,
        );
      }
      to[at] = storage.handle;
      to[at + 1] = tensor.byteOffset;
      to[at + 2] = tensor.byteLength;
      if (tensor.dtype === 'f16') half |= 1 << (at / 3);
    }
    at += 3;
  }
  return half;
}

/**
 * The operands as in a call block, and the device they share.
 * @throws E_DEVICE, E_DISPOSED, E_ARGUMENT
 */
export function encodeOperands(
  op: OpName,
  inputs: Operands,
  outputs: Operands,
): { backend: Backend; operands: Float64Array } {
  const backend = backendFor(op, inputs, outputs);
  const operands = new Float64Array(3 * (inputs.length + outputs.length));
  placeAll(op, backend, inputs, operands, 0);
  placeAll(op, backend, outputs, operands, inputs.length);
  return { backend, operands };
}

/** Enqueues one op on the device of its operands. Absent operands are null. @throws E_DISPOSED, E_DEVICE, E_SHAPE, ... */
export function dispatch<F extends Record<string, FieldSpec>>(
  params: ParamStruct<F>,
  values: Live<FieldValues<F>>,
  inputs: Operands,
  outputs: Operands,
): void {
  const backend = backendFor(params.op, inputs, outputs);
  const { block } = backend;
  const half =
    placeAll(params.op, backend, inputs, block.operands, 0) |
    placeAll(params.op, backend, outputs, block.operands, inputs.length);
  params.write(typeof values === 'function' ? values() : values, block.params);
  backend.run(params.id, inputs.length, outputs.length, half);
  recording.by?.enqueued(params, values, inputs, outputs);
  const tracker = tracking.by;
  if (tracker !== null) for (const output of outputs) if (output) tracker.name(output.id, params.op);
}

/** @throws E_DTYPE unless the tensor has one of the dtypes; where f32 is one, it may be stored as f16 */
export function expectDType(op: OpName | string, name: string, tensor: Tensor, ...dtypes: readonly DType[]): void {
  if (!dtypes.includes(tensor.dtype === 'f16' ? 'f32' : tensor.dtype)) {
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
