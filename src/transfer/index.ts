/** Transfer: what a model has learnt on one task, taken to another. */
export { freeze, unfreeze } from './freeze.js';
export { gradualUnfreezing, type Thaw } from './gradual.js';
export { type FineTuneOptions, fineTune, type ReplaceHeadOptions, replaceHead } from './head.js';
