// Weights of a model in a safetensors file, whole or in part.
import { AnnealError } from '../errors.js';
import { readSafetensors, writeSafetensors } from '../io/safetensors.js';
import { formatShape, sameShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Module, matchesName, type NameMatch, type Weights } from './module.js';

export interface SaveWeightsOptions {
  /** In place of the model's own as they are now: an average, or those of the best epoch. */
  readonly weights?: Weights;
  /** Kept in the file's header. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes parameters and buffers by full name, f32, atomically. Inside `optimizer.withEma(() => nn.saveWeights(path, model))` they are
 * the averaged ones. @throws E_IO; E_ARGUMENT unless the model is built
 */
export async function saveWeights(path: string, model: Module, options: SaveWeightsOptions = {}): Promise<void> {
  checkBuilt('saveWeights', model);
  const weights = options.weights ?? (await model.stateDict());
  const tensors = [...weights].map(
    ([name, { shape, data }]) => [name, { shape, data, dtype: 'f32' } as const] as const,
  );
  await writeSafetensors(path, Object.fromEntries(tensors), options.metadata);
}

export interface LoadWeightsOptions {
  /** What of the model is looked for in the file, and of the file in the model. Default: all. */
  readonly match?: NameMatch;
  /** With false what fits is loaded and the rest reported. Default true: everything that matches must fit. */
  readonly strict?: boolean;
}

/** What became of each name, in the model's order and then the file's. */
export interface WeightsReport {
  readonly loaded: readonly string[];
  /** In the model, not in the file: they keep their values. */
  readonly missing: readonly string[];
  /** In the file, not in the model. */
  readonly unexpected: readonly string[];
  /** In both, with another shape or with integers: they keep their values. */
  readonly mismatched: readonly { readonly name: string; readonly expected: string; readonly received: string }[];
}

/**
 * Overwrites parameters and buffers of a built model from a safetensors file of f32 or f16, by full name. Nothing is changed unless all
 * of it fits; `strict: false` loads what does. An optimizer's average stays what it is: `optimizer.resetEma()` begins it anew.
 *
 *   const { missing } = await nn.loadWeights('digits.safetensors', model, { match: /^conv/ });
 *
 * @throws E_IO, E_FORMAT; E_ARGUMENT naming what is missing or unexpected, E_SHAPE naming what has another shape
 */
export async function loadWeights(
  path: string,
  model: Module,
  { match = () => true, strict = true }: LoadWeightsOptions = {},
): Promise<WeightsReport> {
  checkBuilt('loadWeights', model);
  const { tensors } = await readSafetensors(path);
  const own = new Map(
    [...model.namedParameters(), ...model.namedBuffers()].filter(([name]) => matchesName(match, name)),
  );
  const found = new Map(Object.entries(tensors).filter(([name]) => matchesName(match, name)));
  const missing = [...own.keys()].filter((name) => !found.has(name));
  const unexpected = [...found.keys()].filter((name) => !own.has(name));
  const mismatched: { name: string; expected: string; received: string }[] = [];
  const fitting: [tensor: Tensor<'f32'>, data: Float32Array, name: string][] = [];
  for (const [name, tensor] of own) {
    const stored = found.get(name);
    if (stored === undefined) continue;
    const { shape, data, dtype } = stored;
    if (data instanceof Float32Array && sameShape(shape, tensor.shape)) fitting.push([tensor, data, name]);
    else
      mismatched.push({
        name,
        expected: `f32 ${formatShape(tensor.shape)}`,
        received: `${dtype} ${formatShape(shape)}`,
      });
  }
  if (strict) refuseUnfit(path, { missing, unexpected, mismatched });
  for (const [tensor, data] of fitting) tensor.write(data);
  return { loaded: fitting.map(([, , name]) => name), missing, unexpected, mismatched };
}

function refuseUnfit(path: string, { missing, unexpected, mismatched }: Omit<WeightsReport, 'loaded'>): void {
  if (missing.length > 0 || unexpected.length > 0) {
    throw new AnnealError(
      'E_ARGUMENT',
      `loadWeights: expected in ${path} the model's own names; missing [${missing.join(', ')}], unexpected [${unexpected.join(', ')}]`,
    );
  }
  const [first] = mismatched;
  if (first) {
    throw new AnnealError(
      'E_SHAPE',
      `loadWeights: expected ${first.name} in ${path} to be ${first.expected}, received ${first.received}`,
    );
  }
}

function checkBuilt(op: string, model: Module): void {
  if (!model.built)
    throw new AnnealError('E_ARGUMENT', `${op}: expected a model that is built, received one that is not`);
}
