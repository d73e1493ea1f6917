// The part of a model that is made for one task: its last layer.
import { AnnealError } from '../errors.js';
import { type DenseOptions, dense } from '../nn/layers/dense.js';
import type { Module } from '../nn/module.js';
import type { Sequential } from '../nn/sequential.js';
import type { ParameterGroup } from '../optim/groups.js';
import type { OptimizerOptions } from '../optim/spec.js';
import type { Tensor } from '../tensor/tensor.js';

export type ReplaceHeadOptions = (DenseOptions | { readonly layer: Module }) & {
  /** Of the new layer's weights. Default 0. */
  readonly seed?: number;
};

/**
 * Puts a new last layer, freshly initialised, in the place of the old one, which is freed: for another number of classes. It has
 * the old one's name, and learns. `{ units: 5 }` makes a dense layer; `layer` is any. @throws E_ARGUMENT unless the model is built, its
 * last layer has parameters, and they are no live optimizer's; E_SHAPE when the new one cannot take what comes
 */
export function replaceHead(model: Sequential, options: ReplaceHeadOptions): void {
  const { seed = 0 } = options;
  if (headOf('replaceHead', model).some(([, { gradSlot }]) => gradSlot !== null)) {
    throw new AnnealError(
      'E_ARGUMENT',
      'replaceHead: expected parameters that no optimizer has, received some of a live one; dispose() it first',
    );
  }
  model.replaceLast('layer' in options ? options.layer : dense(options), seed);
}

/** The parameters of the last layer. */
function headOf(op: string, model: Sequential): [name: string, parameter: Tensor<'f32'>][] {
  if (!model.built)
    throw new AnnealError('E_ARGUMENT', `${op}: expected a model that is built, received one that is not`);
  const [name, layer] = [...model.children].at(-1) ?? [];
  const parameters = layer ? [...layer.namedParameters(name)] : [];
  if (parameters.length === 0) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${op}: expected a last layer with parameters, received ${layer?.kind ?? 'none'}`,
    );
  }
  return parameters;
}

export interface FineTuneOptions {
  /** The rate of everything but the last layer, as a share of `lr`. Default 0.1. */
  readonly bodyScale?: number;
}

/**
 * Options of an optimizer with the body at `bodyScale` times the rate and the last layer, which is new, at the rate itself. The course
 * says 0.1 of the rate of the first training; where the head is trained alone first, give that as `lr` with `bodyScale: 1`. Groups that are
 * given apply first.
 *
 *   optim.sgd(transfer.fineTune(model, { lr: 0.05, momentum: 0.9 }))
 *
 * @throws E_ARGUMENT as `replaceHead`
 */
export function fineTune<O extends OptimizerOptions>(
  model: Sequential,
  options: O,
  { bodyScale = 0.1 }: FineTuneOptions = {},
): O & { readonly groups: readonly ParameterGroup[] } {
  const head = new Set(headOf('fineTune', model).map(([name]) => name));
  const body = [...model.namedParameters().keys()].filter((name) => !head.has(name));
  const groups = [...(options.groups ?? []), ...(body.length > 0 ? [{ match: body, lrScale: bodyScale }] : [])];
  return { ...options, groups };
}
