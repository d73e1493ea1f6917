// Backward rule of dropout: linear, so its gradient is the same call on dy, to any order. Random tensors have none.
import type { Backward } from '../../autograd/tape.js';
import { type DrawOptions, dropout } from './random.js';

/** dx = dropout(dy) with the same draws; shapes as x. */
export function dropoutBackward(p: number, options: DrawOptions): Backward {
  return (dy) => [dropout(dy, p, options)];
}
