import type { Cost } from '../cost.js';
import { FMA_CHAINS, limitKinds } from './limit.js';

/** What the loops of kernels/limit/limit.h do, by kind. */
export function limitCost({ kind, n, repeats }: { kind: number; n: number; repeats: number }): Cost {
  switch (limitKinds[kind]) {
    case 'fma':
      return { flops: 2 * FMA_CHAINS * n * repeats, bytes: 4 * FMA_CHAINS * (n + 1) };
    case 'triad':
      return { flops: 2 * n, bytes: 12 * n };
    case 'read':
      return { flops: n * repeats, bytes: 4 * n * repeats };
    case 'sgd':
      return { flops: 9 * n, bytes: 28 * n };
    default:
      return { flops: 16 * n, bytes: 36 * n };
  }
}
