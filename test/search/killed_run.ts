// A search that goes on from its log, and says which trials it made. Arguments: the log, and `here` or `workers`.
import * as search from '../../src/search/index.js';
import objective from './killed_objective.js';

const [log = '', where] = process.argv.slice(2);
const { trials } = await search.random({
  space: { lr: search.float(1e-3, 1, { log: true }), units: search.int(2, 32, { log: true }) },
  trials: 48,
  seed: 6,
  log,
  onTrial: ({ number }) => console.log(`trial ${number}`),
  // What is pruned depends on what has ended, which is the same anew only one trial after the other.
  ...(where === 'here'
    ? { objective, pruner: search.medianPruner({ startupTrials: 3 }) }
    : { objective: new URL('./killed_objective.js', import.meta.url), workers: 2 }),
});
console.log(`ended with ${trials.length}`);
