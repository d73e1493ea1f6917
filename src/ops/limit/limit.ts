// The parameters of the limit loops (kernels/limit/limit.h); only the benchmark runs them.
import { struct } from '../../backend/params.js';

export const limitParams = struct('limit', { kind: 'u32', n: 'u32', repeats: 'u32', block: 'u32' });

/** The loops, in the order of their codes. */
export const limitKinds = ['fma', 'triad', 'read', 'sgd', 'adamw'] as const;

/** Independent values that one task of `fma` works on. */
export const FMA_CHAINS = 192;
