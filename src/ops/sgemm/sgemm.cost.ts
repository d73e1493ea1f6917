import type { Cost } from '../cost.js';

type Product = Readonly<Record<'batch' | 'm' | 'n' | 'k', number>> &
  Readonly<Partial<Record<'strideA' | 'strideB' | 'accumulate', number>>>;

/** A multiplication and an addition for each of batch M N K; each matrix moves once, C twice when it is added to. */
export function sgemmCost({ batch, m, n, k, strideA = m * k, strideB = k * n, accumulate = 0 }: Product): Cost {
  const a = (strideA === 0 ? 1 : batch) * m * k;
  const b = (strideB === 0 ? 1 : batch) * k * n;
  const c = batch * m * n * (accumulate === 0 ? 1 : 2);
  return { flops: 2 * batch * m * n * k, bytes: 4 * (a + b + c) };
}
