import { defineKind, finite, optional, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface InverseSqrtOptions {
  /** The value at steps 0 and 1. */
  readonly from: number;
}

export interface InverseSqrtWarmupOptions {
  /** The value at step `warmup`, the highest. */
  readonly to: number;
  /** Steps from 0 to it, in a straight line. */
  readonly warmup: number;
  /** s in the formula below. Default: warmup. */
  readonly timescale?: number;
}

export interface NoamOptions {
  /** The width of the transformer's layers. */
  readonly dModel: number;
  readonly warmup: number;
  /** Default 1. */
  readonly factor?: number;
}

export const inverseSqrtKind = defineKind(
  'inverseSqrt',
  'from / sqrt(t)',
  { from: finite('the value at steps 0 and 1') },
  ({ from }) => ({ length: Number.POSITIVE_INFINITY, at: (t) => from / Math.sqrt(Math.max(t, 1)) }),
);

export const inverseSqrtWarmupKind = defineKind(
  'inverseSqrtWarmup',
  'a warmup, then down by 1 / sqrt(t), as in transformers',
  {
    to: finite('the value at the end of the warmup'),
    warmup: positive('steps of the warmup'),
    timescale: optional(positive('how slowly it falls; as the warmup without')),
  },
  ({ to, warmup, timescale = warmup }) => ({
    length: Number.POSITIVE_INFINITY,
    at: (t) => (t < warmup ? (to * t) / warmup : to / Math.sqrt((t + timescale - warmup) / timescale)),
  }),
);

export const noamKind = defineKind(
  'noam',
  'the rate of "Attention is all you need", by the width of the model',
  {
    dModel: positive("the width of the transformer's layers"),
    warmup: positive('steps of the warmup'),
    factor: finite('on the whole', 1),
  },
  ({ dModel, warmup, factor }) => ({
    length: Number.POSITIVE_INFINITY,
    at: (t) => (factor / Math.sqrt(dModel)) * Math.min((t + 1) ** -0.5, (t + 1) * warmup ** -1.5),
  }),
);

/** from / sqrt(max(t, 1)), the course's form. Endless. @throws E_ARGUMENT */
export function inverseSqrt(options: InverseSqrtOptions): Schedule {
  return inverseSqrtKind.make(options);
}

/**
 * to * t / warmup up to step `warmup`, then to / sqrt((t - warmup + s) / s) with the timescale s: with s = warmup it is
 * to * sqrt(warmup / t). Hugging Face's get_inverse_sqrt_schedule. Endless. @throws E_ARGUMENT
 */
export function inverseSqrtWarmup(options: InverseSqrtWarmupOptions): Schedule {
  return inverseSqrtWarmupKind.make(options);
}

/**
 * factor * dModel^-0.5 * min(n^-0.5, n warmup^-1.5) with n = t + 1, as the paper counts from 1. Endless.
 * Vaswani et al., "Attention is all you need", arXiv:1706.03762, section 5.3. @throws E_ARGUMENT
 */
export function noam(options: NoamOptions): Schedule {
  return noamKind.make(options);
}
