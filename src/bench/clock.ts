// Times one op on the addon's own clock, around the kernel on the queue thread: no call from JavaScript is in it.
import { opNames } from '../backend/backend.js';
import type { FieldSpec, FieldValues, ParamStruct } from '../backend/params.js';
import { addon } from '../binding.js';
import { encodeOperands } from '../ops/dispatch.js';
import type { Tensor } from '../tensor/tensor.js';

/** One op with its operands, ready to be run again and again. */
export interface KernelCall<F extends Record<string, FieldSpec> = Record<string, FieldSpec>> {
  readonly params: ParamStruct<F>;
  readonly values: FieldValues<F>;
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: readonly (Tensor | null)[];
}

export interface TimingOptions {
  readonly samples: number;
  /** Executions a sample. */
  readonly inner: number;
  /** Evict the operands from the caches before each sample. */
  readonly cold?: boolean;
}

/** Seconds of one execution, for each sample. Outputs that the op updates in place are updated each time. */
export function kernelSeconds<F extends Record<string, FieldSpec>>(
  call: KernelCall<F>,
  { samples, inner, cold = false }: TimingOptions,
): Promise<Float64Array> {
  const { params, values, inputs, outputs } = call;
  return addon().time(
    opNames.indexOf(params.op),
    params.encode(values),
    encodeOperands(params.op, inputs, outputs).operands,
    inputs.length,
    outputs.length,
    samples,
    inner,
    cold ? 1 : 0,
  );
}
