/** Functions of tensors. */
export { batchNorm } from './batch_norm/batch_norm.js';
export { type Conv2dOptions, conv2d } from './conv2d/conv2d.js';
export { arange, eye, full, linspace, ones, onesLike, zeros, zerosLike } from './creation.js';
export { type DepthwiseConv2dOptions, depthwiseConv2d } from './depthwise_conv2d/depthwise_conv2d.js';
export {
  abs,
  add,
  affine,
  broadcastTo,
  type CastOptions,
  cast,
  ceil,
  clip,
  cos,
  div,
  elu,
  equal,
  erf,
  exp,
  expm1,
  floor,
  gelu,
  geluTanh,
  greater,
  greaterEqual,
  isFinite,
  isNaN,
  leakyRelu,
  less,
  lessEqual,
  log,
  log1p,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  maximum,
  minimum,
  mod,
  mul,
  neg,
  notEqual,
  type Operand,
  pow,
  reciprocal,
  relu,
  round,
  rsqrt,
  sigmoid,
  sign,
  silu,
  sin,
  softplus,
  sqrt,
  square,
  squaredDifference,
  sub,
  tanh,
  where,
} from './elementwise/elementwise.js';
export { embedding, gather, oneHot } from './gather/gather.js';
export { layerNorm } from './layer_norm/layer_norm.js';
export { bceWithLogits, huber, l1, mse } from './losses/losses.js';
export { avgPool2d, globalAvgPool2d, globalMaxPool2d, maxPool2d } from './pool2d/pool2d.js';
export { bernoulli, dropout, normal, truncatedNormal, uniform } from './random/random.js';
export {
  type Axes,
  argMax,
  argMin,
  max,
  mean,
  min,
  norm,
  prod,
  type ReduceOptions,
  sum,
  sumSquares,
  variance,
} from './reduce/reduce.js';
export { reshape } from './reshape.js';
export { linear, type MatmulOptions, matmul } from './sgemm/sgemm.js';
export { logSoftmax, logSumExp, softmax } from './softmax/softmax.js';
export { softmaxCrossEntropy } from './softmax_cross_entropy/softmax_cross_entropy.js';
export { concat, flip, pad, slice, split, stack, tile, transpose } from './strided_copy/strided_copy.js';
