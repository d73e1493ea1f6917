// Every op with its parameter struct and its cost. A missing one does not compile.
import type { OpName } from '../backend/backend.js';
import type { DecodedValues, FieldSpec, ParamStruct } from '../backend/params.js';
import { adamCost } from './adam/adam.cost.js';
import { adamParams } from './adam/adam.js';
import { batchNormBackwardCost, batchNormCost } from './batch_norm/batch_norm.cost.js';
import { batchNormBackwardParams, batchNormParams } from './batch_norm/batch_norm.js';
import { conv2dCost } from './conv2d/conv2d.cost.js';
import { conv2dBackwardDataParams, conv2dBackwardWeightParams, conv2dParams } from './conv2d/conv2d.js';
import type { Cost } from './cost.js';
import { depthwiseConv2dCost } from './depthwise_conv2d/depthwise_conv2d.cost.js';
import {
  depthwiseConv2dBackwardDataParams,
  depthwiseConv2dBackwardWeightParams,
  depthwiseConv2dParams,
} from './depthwise_conv2d/depthwise_conv2d.js';
import { binaryCost, castCost, unaryCost } from './elementwise/elementwise.cost.js';
import { binaryParams, castParams, fillParams, unaryParams, whereParams } from './elementwise/params.js';
import { elementwiseChainCost } from './elementwise_chain/elementwise_chain.cost.js';
import { elementwiseChainParams } from './elementwise_chain/elementwise_chain.js';
import { gatherBackwardCost, gatherCost } from './gather/gather.cost.js';
import { gatherBackwardParams, gatherParams } from './gather/gather.js';
import { layerNormBackwardCost, layerNormCost } from './layer_norm/layer_norm.cost.js';
import { layerNormBackwardParams, layerNormParams } from './layer_norm/layer_norm.js';
import { limitCost } from './limit/limit.cost.js';
import { limitParams } from './limit/limit.js';
import { avgPool2dCost, maxPool2dBackwardCost, maxPool2dCost } from './pool2d/pool2d.cost.js';
import { avgPool2dBackwardParams, avgPool2dParams, maxPool2dBackwardParams, maxPool2dParams } from './pool2d/pool2d.js';
import { dropoutCost, randomCost } from './random/random.cost.js';
import { dropoutParams, randomParams } from './random/random.js';
import { reduceCost } from './reduce/reduce.cost.js';
import { reduceParams } from './reduce/reduce.js';
import { rmspropCost } from './rmsprop/rmsprop.cost.js';
import { rmspropParams } from './rmsprop/rmsprop.js';
import { sgdMomentumEmaCost } from './sgd_momentum_ema/sgd_momentum_ema.cost.js';
import { sgdMomentumEmaParams } from './sgd_momentum_ema/sgd_momentum_ema.js';
import { sgemmCost } from './sgemm/sgemm.cost.js';
import { sgemmParams } from './sgemm/sgemm.js';
import { softmaxBackwardCost, softmaxCost } from './softmax/softmax.cost.js';
import { softmaxBackwardParams, softmaxParams } from './softmax/softmax.js';
import {
  softmaxCrossEntropyBackwardCost,
  softmaxCrossEntropyCost,
} from './softmax_cross_entropy/softmax_cross_entropy.cost.js';
import {
  softmaxCrossEntropyBackwardParams,
  softmaxCrossEntropyParams,
} from './softmax_cross_entropy/softmax_cross_entropy.js';
import { stridedCopyParams } from './strided_copy/copy.js';
import { stridedCopyCost } from './strided_copy/strided_copy.cost.js';

/** Bytes of each operand of a call; 0 for an absent one. */
export interface OperandBytes {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface OpEntry {
  readonly params: ParamStruct;
  /** What a call must do at least, from its encoded parameters and the bytes of its operands. */
  cost(params: Uint8Array, operands: OperandBytes): Cost;
}

function entry<F extends Record<string, FieldSpec>>(
  params: ParamStruct<F>,
  cost: (values: DecodedValues<F>, operands: OperandBytes) => Cost,
): OpEntry {
  return { params, cost: (bytes, operands) => cost(params.decode(bytes), operands) };
}

const product = (dims: readonly number[], rank: number): number => dims.slice(0, rank).reduce((a, b) => a * b, 1);
const itemBytesOf = (code: number): number => (code === 2 ? 1 : 4);
const items = (bytes: number | undefined): number => (bytes ?? 0) / 4;

/** The ops, by name. */
export const registry: Readonly<Record<OpName, OpEntry>> = {
  sgemm: entry(sgemmParams, (p) => sgemmCost(p)),
  conv2d: entry(conv2dParams, (p) => conv2dCost(p)),
  conv2d_backward_data: entry(conv2dBackwardDataParams, (p) => conv2dCost(p)),
  conv2d_backward_weight: entry(conv2dBackwardWeightParams, (p) => conv2dCost(p)),
  depthwise_conv2d: entry(depthwiseConv2dParams, (p) => depthwiseConv2dCost(p)),
  depthwise_conv2d_backward_data: entry(depthwiseConv2dBackwardDataParams, (p) => depthwiseConv2dCost(p)),
  depthwise_conv2d_backward_weight: entry(depthwiseConv2dBackwardWeightParams, (p) => depthwiseConv2dCost(p)),
  max_pool2d: entry(maxPool2dParams, (p, { outputs }) => maxPool2dCost({ ...p, withArgmax: (outputs[1] ?? 0) > 0 })),
  max_pool2d_backward: entry(maxPool2dBackwardParams, (p) => maxPool2dBackwardCost(p)),
  avg_pool2d: entry(avgPool2dParams, (p) => avgPool2dCost(p)),
  avg_pool2d_backward: entry(avgPool2dBackwardParams, (p) => avgPool2dCost(p)),
  unary: entry(unaryParams, (p) => unaryCost(p)),
  binary: entry(binaryParams, (p, { inputs }) =>
    binaryCost({ code: p.code, count: product(p.dims, p.rank), aCount: items(inputs[0]), bCount: items(inputs[1]) }),
  ),
  where: entry(whereParams, (p, { inputs }) => {
    const count = product(p.dims, p.rank);
    return { flops: count, bytes: 4 * count + inputs.reduce((a, b) => a + b, 0) };
  }),
  cast: entry(castParams, (p) =>
    castCost({ count: p.count, fromBytes: itemBytesOf(p.from), toBytes: itemBytesOf(p.to) }),
  ),
  fill: entry(fillParams, (p) => ({ flops: 0, bytes: p.count * itemBytesOf(p.dtype) })),
  reduce: entry(reduceParams, (p, { outputs }) =>
    reduceCost({ items: product(p.dims, p.rank), outputs: items(outputs[0]), accumulate: p.accumulate !== 0 }),
  ),
  strided_copy: entry(stridedCopyParams, (p) =>
    stridedCopyCost({ count: product(p.dims, p.rank), itemBytes: itemBytesOf(p.dtype) }),
  ),
  softmax: entry(softmaxParams, (p) => softmaxCost(p)),
  softmax_backward: entry(softmaxBackwardParams, (p) => softmaxBackwardCost({ ...p, log: p.log !== 0 })),
  // Outputs: loss, normalizers, weight, divisor, dlogits.
  softmax_cross_entropy: entry(softmaxCrossEntropyParams, (p, { outputs }) =>
    softmaxCrossEntropyCost({
      ...p,
      dense: p.dense !== 0,
      reduced: p.reduction !== 0,
      gradient: (outputs[4] ?? 0) > 0,
    }),
  ),
  softmax_cross_entropy_backward: entry(softmaxCrossEntropyBackwardParams, (p) =>
    softmaxCrossEntropyBackwardCost({ ...p, dense: p.dense !== 0, reduced: p.reduction !== 0 }),
  ),
  layer_norm: entry(layerNormParams, (p) => layerNormCost(p)),
  layer_norm_backward: entry(layerNormBackwardParams, (p) => layerNormBackwardCost(p)),
  batch_norm: entry(batchNormParams, (p) => batchNormCost({ ...p, training: p.training !== 0 })),
  batch_norm_backward: entry(batchNormBackwardParams, (p) =>
    batchNormBackwardCost({ ...p, training: p.training !== 0 }),
  ),
  random: entry(randomParams, (p) => randomCost(p)),
  dropout: entry(dropoutParams, (p) => dropoutCost(p)),
  gather: entry(gatherParams, (p) => gatherCost({ ...p, itemBytes: itemBytesOf(p.dtype) })),
  gather_backward: entry(gatherBackwardParams, (p) => gatherBackwardCost(p)),
  // Outputs: params, momentum, ema, stats.
  sgd_momentum_ema: entry(sgdMomentumEmaParams, (p, { outputs }) =>
    sgdMomentumEmaCost({
      n: p.n,
      momentum: (outputs[1] ?? 0) > 0,
      nesterov: p.nesterov !== 0,
      ema: (outputs[2] ?? 0) > 0,
    }),
  ),
  // Outputs: params, m, v, vMax, ema, stats.
  adam: entry(adamParams, (p, { outputs }) =>
    adamCost({ n: p.n, amsgrad: (outputs[3] ?? 0) > 0, ema: (outputs[4] ?? 0) > 0 }),
  ),
  // Outputs: params, v, meanGrad, momentum, ema, stats.
  rmsprop: entry(rmspropParams, (p, { outputs }) =>
    rmspropCost({
      n: p.n,
      centered: (outputs[2] ?? 0) > 0,
      momentum: (outputs[3] ?? 0) > 0,
      ema: (outputs[4] ?? 0) > 0,
    }),
  ),
  limit: entry(limitParams, (p) => limitCost(p)),
  elementwise_chain: entry(elementwiseChainParams, (p, { inputs, outputs }) =>
    elementwiseChainCost({ ...p, operandItems: [...inputs, ...outputs].reduce((sum, bytes) => sum + items(bytes), 0) }),
  ),
};
