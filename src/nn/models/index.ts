/** Well-known small models, ready to build. */
export { type LenetOptions, lenet } from './lenet.js';
export { type MlpOptions, mlp } from './mlp.js';
