// Random tensors and dropout (kernels/random/random.h): pure functions of (seed, stream, counter), so that a resumed run
// draws what an uninterrupted one would have drawn.
import { record } from '../../autograd/tape.js';
import type { DeviceName } from '../../backend/backend.js';
import { type FieldValues, struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { seedKey } from '../../random/philox.js';
import type { Num } from '../../scalar.js';
import { type DType, type StoredLike, storedLike } from '../../tensor/dtype.js';
import type { Shape } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { dropoutBackward } from './random.grad.js';

const fields = {
  kind: 'u32',
  n: 'u32',
  seedLo: 'u32',
  seedHi: 'u32',
  stream: 'u32',
  counter: 'u32',
  low: 'f32',
  high: 'f32',
  mean: 'f32',
  std: 'f32',
  p: 'f32',
} as const;

export const randomParams = struct('random', fields);
export const dropoutParams = struct('dropout', {
  n: 'u32',
  seedLo: 'u32',
  seedHi: 'u32',
  stream: 'u32',
  counter: 'u32',
  p: 'f32',
});

/** Distributions, in the order of their codes. */
export const randomKinds = ['uniform', 'normal', 'truncatedNormal', 'bernoulli'] as const;

/** Which draws: the same values give the same numbers, on every machine and with any number of threads. */
export interface DrawOptions {
  /** An integer in [0, 2^53). */
  readonly seed: number;
  /** Tells draws of one seed apart, e.g. by purpose: an integer in [0, 2^32). Default 0. */
  readonly stream?: number;
  /** Usually the step: an integer in [0, 2^32). Default 0. */
  readonly counter?: Num;
}

export interface RandomOptions extends DrawOptions {
  readonly device?: DeviceName;
}

interface DrawKey {
  readonly seedLo: number;
  readonly seedHi: number;
  readonly stream: number;
  readonly counter: Num;
}

function drawKey(op: string, { seed, stream = 0, counter = 0 }: DrawOptions): DrawKey {
  for (const [name, word] of Object.entries({ stream, counter: Number(counter) })) {
    if (!Number.isInteger(word) || word < 0 || word >= 2 ** 32) {
      throw new AnnealError('E_ARGUMENT', `${op}: expected ${name} to be an integer in [0, 2^32), received ${word}`);
    }
  }
  const [seedLo, seedHi] = seedKey(seed);
  return { seedLo, seedHi, stream, counter };
}

function draw(
  kind: (typeof randomKinds)[number],
  shape: Shape,
  options: RandomOptions,
  values: FieldValues<typeof fields>,
): Tensor<'f32'> {
  const key = drawKey(kind, options);
  const y = empty([...shape], 'f32', options.device);
  dispatch(randomParams, { kind: randomKinds.indexOf(kind), n: y.size, ...key, ...values }, [], [y]);
  return y;
}

/** Refuses what f32 cannot hold or the distribution has no meaning for. */
function expectRange(op: string, ok: boolean, what: string, received: readonly number[]): void {
  if (!ok) throw new AnnealError('E_RANGE', `${op}: expected ${what}, received ${received.join(' and ')}`);
}

function expectNormal(op: string, mean: number, std: number): void {
  const ok = Number.isFinite(Math.fround(mean)) && Number.isFinite(Math.fround(std)) && std >= 0;
  expectRange(op, ok, 'a finite mean and a finite std of at least 0', [mean, std]);
}

function expectProbability(op: string, p: number): void {
  expectRange(op, p >= 0 && p <= 1, 'a probability in [0, 1]', [p]);
}

/** Uniform in [low, high), default [0, 1). @throws E_RANGE, E_ARGUMENT, E_SHAPE */
export function uniform(
  shape: Shape,
  options: RandomOptions & { readonly low?: number; readonly high?: number },
): Tensor<'f32'> {
  const { low = 0, high = 1 } = options;
  const span = Math.fround(Math.fround(high) - Math.fround(low));
  expectRange('uniform', low <= high && Number.isFinite(span), 'finite bounds, low <= high', [low, high]);
  return draw('uniform', shape, options, { low, high });
}

/** N(mean, std^2), default N(0, 1), by Box-Muller. @throws E_RANGE, E_ARGUMENT, E_SHAPE */
export function normal(
  shape: Shape,
  options: RandomOptions & { readonly mean?: number; readonly std?: number },
): Tensor<'f32'> {
  const { mean = 0, std = 1 } = options;
  expectNormal('normal', mean, std);
  return draw('normal', shape, options, { mean, std });
}

/** N(mean, std^2) cut at two standard deviations by drawing again; std is that of the uncut distribution. @throws as normal */
export function truncatedNormal(
  shape: Shape,
  options: RandomOptions & { readonly mean?: number; readonly std?: number },
): Tensor<'f32'> {
  const { mean = 0, std = 1 } = options;
  expectNormal('truncatedNormal', mean, std);
  return draw('truncatedNormal', shape, options, { mean, std });
}

/** 1 with probability p, else 0. @throws E_RANGE, E_ARGUMENT, E_SHAPE */
export function bernoulli(shape: Shape, options: RandomOptions & { readonly p: number }): Tensor<'f32'> {
  expectProbability('bernoulli', options.p);
  return draw('bernoulli', shape, options, { p: options.p });
}

/**
 * y = x / (1 - p) with probability 1 - p, else 0: the expectation is x. Srivastava et al. 2014. Draws what `bernoulli`
 * of the same seed, stream and counter draws, 1 meaning dropped.
 * @throws E_RANGE unless p is in [0, 1], E_DTYPE, E_ARGUMENT
 */
export function dropout<D extends DType>(x: Tensor<D>, p: number, options: DrawOptions): Tensor<StoredLike<D>> {
  expectDType('dropout', 'x', x, 'f32');
  expectProbability('dropout', p);
  const key = drawKey('dropout', options);
  const y = empty(x.shape, storedLike(x), x.device);
  dispatch(dropoutParams, { n: x.size, ...key, p }, [x], [y]);
  return record('dropout', y, [x], dropoutBackward(p, { ...options }), { saved: [] });
}
