/** Elementwise ops: functions of one and two tensors, where, cast. */
export * from './binary.js';
export { type CastOptions, cast } from './cast.js';
export * from './unary.js';
export { where } from './where.js';
