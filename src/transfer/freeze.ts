// Parts of a model that learning passes by.
import { AnnealError } from '../errors.js';
import type { Module, NameMatch } from '../nn/module.js';

/**
 * Freezes what matches, until `unfreeze`: parameters want no gradient, so that backward ends at the first layer that still learns, and
 * optimizers leave them alone, weight decay, moments and averages included. A layer whose parameters are all frozen runs as in
 * evaluation, as after PyTorch's `requires_grad_(False)` and `.eval()` on it: a batch norm normalises by its running statistics, which
 * stand still, also for `refreshStatistics`. Patterns and functions are asked for full names of parameters, `conv2d1.weight`, and
 * for those of layers without any, `dropout1`, which then drops nothing; a list of names may name layers, for all that is in them.
 * During a run, captured steps follow. Gives the names that matched.
 *
 *   transfer.freeze(model, /^(?!dense2)/);       // all but the head
 *   transfer.freeze(model, ['conv2d1', 'conv2d2']);
 *
 * @throws E_ARGUMENT unless the model is built, or when nothing matches
 */
export function freeze(model: Module, match: NameMatch): string[] {
  return set('freeze', model, match, true);
}

/** Undoes `freeze` for what matches. @throws E_ARGUMENT as `freeze` */
export function unfreeze(model: Module, match: NameMatch): string[] {
  return set('unfreeze', model, match, false);
}

function set(op: string, model: Module, match: NameMatch, frozen: boolean): string[] {
  if (!model.built)
    throw new AnnealError('E_ARGUMENT', `${op}: expected a model that is built, received one that is not`);
  const found = model.setFrozen(match, frozen);
  if (found.length === 0) {
    const names = [...model.namedParameters().keys()].join(', ');
    throw new AnnealError('E_ARGUMENT', `${op}: expected ${String(match)} to match one of ${names}, matched none`);
  }
  return found;
}
