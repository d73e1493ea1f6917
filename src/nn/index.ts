/** Neural network layers, models and initialisers. */
export * as init from './init.js';
export { type Activation, activation } from './layers/activation.js';
export { checkpointed } from './layers/checkpointed.js';
export { type Conv2dOptions, conv2d, type DepthwiseConv2dOptions, depthwiseConv2d } from './layers/conv.js';
export { type DenseOptions, dense } from './layers/dense.js';
export { dropout } from './layers/dropout.js';
export { type EmbeddingOptions, embedding } from './layers/embedding.js';
export { type BatchNormOptions, batchNorm, type LayerNormOptions, layerNorm } from './layers/norm.js';
export { avgPool2d, globalAvgPool2d, globalMaxPool2d, maxPool2d } from './layers/pool.js';
export { flatten, reshapeTo as reshape } from './layers/shape_layers.js';
export * as models from './models/index.js';
export { evaluation, type Mode, Module, type NameMatch, type Weights } from './module.js';
export { Sequential, sequential } from './sequential.js';
export {
  type LoadWeightsOptions,
  loadWeights,
  type SaveWeightsOptions,
  saveWeights,
  type WeightsReport,
} from './weights.js';
