// Times one op on its device's own clock, around the kernel: no call from JavaScript is in it.
import type { Timing } from '../backend/backend.js';
import type { FieldSpec, FieldValues, ParamStruct } from '../backend/params.js';
import { encodeOperands } from '../ops/dispatch.js';
import type { Tensor } from '../tensor/tensor.js';

/** One op with its operands, ready to be run again and again. */
export interface KernelCall<F extends Record<string, FieldSpec> = Record<string, FieldSpec>> {
  readonly params: ParamStruct<F>;
  readonly values: FieldValues<F>;
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: readonly (Tensor | null)[];
}

/** Seconds of one execution, for each sample. Outputs that the op updates in place are updated each time. */
export function kernelSeconds<F extends Record<string, FieldSpec>>(
  { params, values, inputs, outputs }: KernelCall<F>,
  { samples, inner, cold = false }: Omit<Timing, 'cold'> & { readonly cold?: boolean },
): Promise<Float64Array> {
  const { backend, operands } = encodeOperands(params.op, inputs, outputs);
  return backend.time(params.op, params.encode(values), operands, inputs.length, outputs.length, {
    samples,
    inner,
    cold,
  });
}
