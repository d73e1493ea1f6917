// How far a kernel's result may lie from the reference: as in the conformance suite, whose tables say the same (a test
// compares).
import type { OpName } from '../backend/backend.js';
import { registry } from '../ops/registry.js';

/** `bilinear`: 4 (sqrt(K) + 4) 2^-24 times the op of |inputs|, K terms a sum; else absolute + relative |expected|. */
export type Bound = 'bilinear' | { readonly relative: number; readonly absolute: number };

const within = (relative: number, absolute: number): Bound => ({ relative, absolute });

export const bounds: Readonly<Record<OpName, Bound>> = {
  sgemm: 'bilinear',
  conv2d: 'bilinear',
  conv2d_backward_data: 'bilinear',
  conv2d_backward_weight: 'bilinear',
  depthwise_conv2d: 'bilinear',
  depthwise_conv2d_backward_data: 'bilinear',
  depthwise_conv2d_backward_weight: 'bilinear',
  max_pool2d: within(0, 0),
  max_pool2d_backward: 'bilinear',
  avg_pool2d: 'bilinear',
  avg_pool2d_backward: 'bilinear',
  unary: within(1e-6, 2e-7),
  binary: within(2e-6, 1e-6),
  where: within(2e-6, 1e-6),
  cast: within(2e-6, 1e-6),
  fill: within(2e-6, 1e-6),
  reduce: 'bilinear',
  strided_copy: within(1e-7, 0),
  softmax: within(2e-6, 3e-7),
  softmax_backward: within(3e-6, 3e-6),
  softmax_cross_entropy: within(2e-6, 2e-6),
  softmax_cross_entropy_backward: within(4e-6, 5e-6),
  layer_norm: within(1e-5, 1e-5),
  layer_norm_backward: within(1e-5, 1e-5),
  batch_norm: within(1e-5, 1e-5),
  batch_norm_backward: within(1e-5, 1e-4),
  random: within(0, 0),
  dropout: within(0, 0),
  gather: within(1e-7, 0),
  gather_backward: 'bilinear',
  sgd_momentum_ema: within(2e-6, 2e-6),
  adam: within(4e-6, 4e-6),
  rmsprop: within(1e-5, 1e-5),
  limit: within(1e-5, 1e-5),
  elementwise_chain: within(1e-5, 4e-6),
};

/** Outputs that are sums over rows: their rounding grows with the root of the number of rows, which the tables keep small. */
const rowSums: Readonly<Partial<Record<OpName, readonly number[]>>> = { layer_norm_backward: [1, 2] };

/** What the absolute part of a bound is multiplied by for an output. */
export function growth(op: OpName, output: number, sizes: Sizes): number {
  return rowSums[op]?.includes(output) ? Math.max(1, Math.sqrt(sizes.rows ?? 1)) : 1;
}

/** Parameters of an op by name, arrays left out. */
export type Sizes = Readonly<Record<string, number>>;

/** The scalar parameters behind the bytes. */
export function sizesOf(op: OpName, params: Uint8Array): Sizes {
  const values: Readonly<Record<string, number | readonly number[]>> = registry[op].params.decode(params);
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value]] : [])),
  );
}

/** The same bytes with some integers changed. */
export function withChanges(op: OpName, params: Uint8Array, changes: Sizes): Uint8Array {
  const bytes = params.slice();
  const view = new DataView(bytes.buffer);
  for (const { name, offset } of registry[op].params.fields) {
    const value = changes[name];
    if (value !== undefined) view.setUint32(offset, value, true);
  }
  return bytes;
}

const product = (sizes: Sizes, ...names: readonly string[]): number =>
  names.reduce((total, name) => total * (sizes[name] ?? 1), 1);

/** Terms of the longest sum behind an element of a bilinear op. */
export function termsOf(op: OpName, params: Uint8Array, inputs: readonly number[], outputs: readonly number[]): number {
  const sizes = sizesOf(op, params);
  const { groups = 1 } = sizes;
  switch (op) {
    case 'sgemm':
      return sizes.k ?? 1;
    case 'conv2d':
      return product(sizes, 'kh', 'kw', 'c') / groups;
    case 'conv2d_backward_data':
      return product(sizes, 'kh', 'kw', 'oc') / groups;
    case 'conv2d_backward_weight':
    case 'depthwise_conv2d_backward_weight':
      return product(sizes, 'n', 'oh', 'ow');
    case 'depthwise_conv2d_backward_data':
      return product(sizes, 'kh', 'kw', 'm');
    case 'gather_backward':
      return sizes.count ?? 1;
    case 'reduce':
      return Math.max(1, (inputs[0] ?? 0) / (outputs[0] ?? 1));
    default:
      return product(sizes, 'kh', 'kw');
  }
}
