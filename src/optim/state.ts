// Optimizer state by parameter name, on the host.
import { AnnealError } from '../errors.js';
import { formatShape, type Shape, sameShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ParameterArena, Segment } from './arena.js';
import type { AveragingState } from './averaging.js';

export interface StateTensor {
  readonly dtype: 'f32';
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** All but `tensors` is JSON. */
export interface OptimizerState {
  readonly kind: string;
  /** Updates done. */
  readonly step: number;
  /** Default 1. */
  readonly lrFactor?: number;
  /** What scaleRate made of the rates, by parameter; 1 where there is none. */
  readonly rateFactors?: Readonly<Record<string, number>>;
  /** Of an average of the weights. Default: one that begins. */
  readonly averaging?: AveragingState;
  /** `momentum/<parameter>`, `m/<parameter>`, `ema/<parameter>` and so on. */
  readonly tensors: Readonly<Record<string, StateTensor>>;
}

/** Buffers parallel to the arena, by name. */
export type StateBuffers = ReadonlyMap<string, Tensor<'f32'>>;

/** The buffers by parameter. */
export async function encodeState(
  segments: readonly Segment[],
  buffers: StateBuffers,
): Promise<OptimizerState['tensors']> {
  const shapes = segments.map(({ parameter }) => parameter.shape);
  // All reads are enqueued before the first await: one moment in time.
  const flats = await Promise.all([...buffers].map(async ([name, buffer]) => ({ name, flat: await buffer.data() })));
  const tensors: Record<string, StateTensor> = {};
  for (const { name, flat } of flats) {
    segments.forEach((segment, i) => {
      const data = flat.subarray(segment.begin, segment.end);
      tensors[`${name}/${segment.name}`] = { dtype: 'f32', shape: shapes[i] ?? [], data };
    });
  }
  return tensors;
}

/** Writes a state into an arena's buffers; nothing is written unless all of it fits. */
export function decodeState(state: OptimizerState, kind: string, arena: ParameterArena, buffers: StateBuffers): void {
  const fail = (message: string): never => {
    throw new AnnealError('E_ARGUMENT', `loadStateDict: ${message}`);
  };
  if (state.kind !== kind) fail(`expected the state of ${kind}, received that of ${state.kind}`);
  if (!Number.isInteger(state.step) || state.step < 0) fail(`expected a step of at least 0, received ${state.step}`);
  const atLeast0 = (name: string, value: number): void => {
    if (!(Number.isFinite(value) && value >= 0))
      fail(`expected ${name} to be a number of at least 0, received ${value}`);
  };
  atLeast0('lrFactor', state.lrFactor ?? 1);
  atLeast0('averaging.weight', state.averaging?.weight ?? 0);
  atLeast0('averaging.count', state.averaging?.count ?? 0);
  for (const [name, factor] of Object.entries(state.rateFactors ?? {})) {
    if (!arena.segments.some((segment) => segment.name === name)) fail(`expected no rate of '${name}', received one`);
    atLeast0(`the factor of '${name}'`, factor);
  }
  const unused = new Set(Object.keys(state.tensors));
  const writes: { buffer: Tensor<'f32'>; flat: Float32Array }[] = [];
  for (const [name, buffer] of buffers) {
    const flat = new Float32Array(arena.size);
    for (const segment of arena.segments) {
      const key = `${name}/${segment.name}`;
      const tensor = state.tensors[key] ?? fail(`expected '${key}', received none`);
      const { shape } = segment.parameter;
      if (!sameShape(tensor.shape, shape) || tensor.data.length !== segment.end - segment.begin) {
        throw new AnnealError(
          'E_SHAPE',
          `loadStateDict: expected '${key}' of shape ${formatShape(shape)}, received ${formatShape(tensor.shape)} (${tensor.data.length} values)`,
        );
      }
      flat.set(tensor.data, segment.begin);
      unused.delete(key);
    }
    writes.push({ buffer, flat });
  }
  if (unused.size > 0) fail(`expected nothing else, received ${[...unused].join(', ')}`);
  for (const { buffer, flat } of writes) buffer.write(flat);
}
