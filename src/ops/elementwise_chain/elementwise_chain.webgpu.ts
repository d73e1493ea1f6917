// How elementwise_chain runs on WebGPU: each chain is a pipeline of its own.
import type { DecodedOf } from '../../backend/params.js';
import { groupsFor, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { binaryCodes, unaryCodes } from '../elementwise/params.js';
import { BINARY_STEP, CHAIN_INPUTS, CHAIN_OUTPUTS, elementwiseChainParams } from './elementwise_chain.js';

const ITEMS = 256;

const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}_${i}`);
const inputs = numbered('in', CHAIN_INPUTS);
const outputs = numbered('out', CHAIN_OUTPUTS);

/** The WGSL of `chain`. */
function chainOf({ steps, single, code, a, b, store }: DecodedOf<typeof elementwiseChainParams>): string {
  const all = Array.from({ length: steps }, (_, s) => s);
  const used = new Set([...a.slice(0, steps), ...b.slice(0, steps)]);
  const reads = inputs.flatMap((name, k) =>
    used.has(k + 1) ? `let x${k} = read_${name}(${(single >> k) & 1 ? '0u' : 'i'});` : [],
  );
  const operand = (of: number, s: number): string => {
    if (of === 0) return `params.scalar_${s}`;
    return of <= CHAIN_INPUTS ? `x${of - 1}` : `r${of - 1 - CHAIN_INPUTS}`;
  };
  const results = all.map((s) => {
    const [function_ = 0, left = 0, right = 0] = [code[s], a[s], b[s]];
    const constants = `params.alpha_${s}, params.beta_${s}`;
    const value =
      function_ < BINARY_STEP
        ? `unary_${unaryCodes[function_]}(${operand(left, s)}, ${constants})`
        : `binary_${binaryCodes[function_ - BINARY_STEP]}(${operand(left, s)}, ${operand(right, s)}, ${constants})`;
    return `let r${s} = rounded(${value});`;
  });
  const writes = all.flatMap((s) => (store[s] ? `write_out_${store[s] - 1}(i, r${s});` : []));
  return ['fn chain(i: u32) {', ...[...reads, ...results, ...writes].map((line) => `  ${line}`), '}'].join('\n');
}

export const elementwiseChainKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'elementwise_chain',
    struct: elementwiseChainParams,
    texts: ['elementwise/functions.wgsl', 'elementwise_chain/elementwise_chain.wgsl'],
    inputs,
    outputs,
    launches: ({ params }) => [
      { entry: 'elementwise_chain', groups: groupsFor(params.count, ITEMS), code: chainOf(params) },
    ],
  }),
];
