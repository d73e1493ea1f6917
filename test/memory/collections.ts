// Run by collections.test.ts: a loop whose temporaries are given back (`disposed`) or left to the garbage collector
// (`dropped`); tells, as JSON, how often V8 collected everything and the most memory that was held.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { memory, sync } from '../../src/device.js';
import { full, relu } from '../../src/ops/index.js';
import { scope } from '../../src/tensor/scope.js';

const [, , kind, rounds] = process.argv;
const ITEMS = 4 << 20; // 16 MiB

let collections = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const detail = 'detail' in entry ? entry.detail : null;
    if (typeof detail !== 'object' || detail === null || !('kind' in detail)) continue;
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
  }
}).observe({ entryTypes: ['gc'] });

const x = full([ITEMS], 1);
function eightTemporaries(): void {
  let y = x;
  for (let i = 0; i < 8; i++) y = relu(y);
}
async function turn(): Promise<void> {
  if (kind === 'disposed') scope(eightTemporaries);
  else eightTemporaries();
  await sync();
  await new Promise((done) => setTimeout(done, 1)); // finalizers run as tasks
}

for (let i = 0; i < 5; i++) await turn();
const before = collections;
for (let i = 0; i < Number(rounds); i++) await turn();
console.log(JSON.stringify({ collections: collections - before, peakBytes: memory().peakBytes, itemBytes: 4 * ITEMS }));
