// A search that goes on from its log, and prints each trial that ends, then all of them. Arguments: the log, and workers or 0.
import * as search from '../../src/search/index.js';
import objective from './objective.js';

const [log = '', workers = '0'] = process.argv.slice(2);
const side = Number(workers) > 0;
const { trials, best } = await search.random({
  space: { lr: search.float(0.01, 1, { log: true }), units: search.int(2, 16) },
  objective: side ? new URL('./objective.ts', import.meta.url) : objective,
  trials: 12,
  seed: 3,
  threads: 2,
  log,
  ...(side && { workers: Number(workers) }),
  onTrial: ({ number }) => console.log(`trial ${number}`),
});
const told = trials.map(({ number, state, parameters, value }) => ({ number, state, parameters, value }));
console.log(`ended ${JSON.stringify({ told, best: best?.number })}`);
