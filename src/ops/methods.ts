// The most used ops as methods, so that expressions read from left to right: `x.matmul(w).add(b).relu()`. Each is the
// function of the same name in `ops`.
import { type BackwardOptions, backward } from '../autograd/backward.js';
import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import * as ew from './elementwise/elementwise.js';
import { type Axes, argMax, max, mean, min, type ReduceOptions, sum } from './reduce/reduce.js';
import { reshape } from './reshape.js';
import { type MatmulOptions, matmul } from './sgemm/sgemm.js';
import { logSoftmax, softmax } from './softmax/softmax.js';
import { slice, transpose } from './strided_copy/strided_copy.js';

const methods = {
  /** Adds the gradient of this scalar to the `grad` of every leaf it depends on; see `autograd.backward`. */
  backward(this: Tensor, seed?: Tensor, options?: BackwardOptions): void {
    backward(this, seed, options);
  },
  add(this: Tensor, other: ew.Operand) {
    return ew.add(this, other);
  },
  sub(this: Tensor, other: ew.Operand) {
    return ew.sub(this, other);
  },
  mul(this: Tensor, other: ew.Operand) {
    return ew.mul(this, other);
  },
  div(this: Tensor, other: ew.Operand) {
    return ew.div(this, other);
  },
  pow(this: Tensor, other: ew.Operand) {
    return ew.pow(this, other);
  },
  neg(this: Tensor) {
    return ew.neg(this);
  },
  abs(this: Tensor) {
    return ew.abs(this);
  },
  square(this: Tensor) {
    return ew.square(this);
  },
  sqrt(this: Tensor) {
    return ew.sqrt(this);
  },
  exp(this: Tensor) {
    return ew.exp(this);
  },
  log(this: Tensor) {
    return ew.log(this);
  },
  relu(this: Tensor) {
    return ew.relu(this);
  },
  sigmoid(this: Tensor) {
    return ew.sigmoid(this);
  },
  tanh(this: Tensor) {
    return ew.tanh(this);
  },
  cast<D extends DType>(this: Tensor, dtype: D, options?: ew.CastOptions) {
    return ew.cast(this, dtype, options);
  },
  matmul(this: Tensor, other: Tensor, options?: MatmulOptions) {
    return matmul(this, other, options);
  },
  sum(this: Tensor, axes?: Axes, options?: ReduceOptions) {
    return sum(this, axes, options);
  },
  mean(this: Tensor, axes?: Axes, options?: ReduceOptions) {
    return mean(this, axes, options);
  },
  max(this: Tensor, axes?: Axes, options?: ReduceOptions) {
    return max(this, axes, options);
  },
  min(this: Tensor, axes?: Axes, options?: ReduceOptions) {
    return min(this, axes, options);
  },
  argMax(this: Tensor, axis: number, options?: ReduceOptions) {
    return argMax(this, axis, options);
  },
  softmax(this: Tensor, axis?: number) {
    return softmax(this, axis);
  },
  logSoftmax(this: Tensor, axis?: number) {
    return logSoftmax(this, axis);
  },
  reshape(this: Tensor, shape: Shape) {
    return reshape(this, shape);
  },
  transpose(this: Tensor, axes?: readonly number[]) {
    return transpose(this, axes);
  },
  slice(this: Tensor, begin: readonly number[], size: readonly number[]) {
    return slice(this, begin, size);
  },
};

export type TensorMethods = typeof methods;

declare module '../tensor/tensor.js' {
  interface Tensor<D extends DType = DType> extends TensorMethods {}
}

for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
