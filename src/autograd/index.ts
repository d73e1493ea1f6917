/** Automatic differentiation. */
export { type BackwardOptions, backward, gradients } from './backward.js';
export { checkpoint } from './checkpoint.js';
export { type CustomGradient, customGrad, type GradOptions, grad, type ValueAndGrad, valueAndGrad } from './grad.js';
export { type Backward, enableGrad, gradEnabled, noGrad } from './tape.js';
