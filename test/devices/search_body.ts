// Searches and ensembles on the device that ANNEAL_TEST_DEVICE names, on the driver of this process: run by test/webgpu/ and test/cuda/.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { device, ensemble, nn, search, tensor } from '../../src/index.js';
import { blobs } from '../support/blobs.js';
import objective from './search_objective.js';

const name = process.env.ANNEAL_TEST_DEVICE === 'cuda' ? 'cuda' : 'webgpu';
await (name === 'cuda' ? device.request('cuda') : device.request('webgpu', { allowSoftware: true }));
device.setDevice(name);

test('a trial in a worker thread is on the device of the search, with the bits of one in this thread', async () => {
  const options = { space: { lr: search.float(0.01, 0.3) }, trials: 2, seed: 1 };
  const here = await search.random({ ...options, objective });
  const module = new URL('./search_objective.ts', import.meta.url);
  const side = await search.random({ ...options, objective: module, workers: 2 });
  const told = ({ trials }: search.SearchResult) =>
    trials.map(({ value, metrics, error }) => ({ value, metrics, error }));
  assert.deepEqual(told(side), told(here));
  for (const { state, metrics } of here.trials) assert.deepEqual([state, metrics], ['complete', { gpu: 1 }]);
});

test('an ensemble says what it does on the CPU', async () => {
  const set = blobs(50, 3);
  const results = [];
  for (const each of [name, 'cpu'] as const) {
    device.setDevice(each);
    using a = nn.sequential([nn.dense({ units: 3 })]);
    using b = nn.sequential([nn.dense({ units: 3 })]);
    a.build([2], 1);
    b.build([2], 2);
    // The third has weights of its own in the second's model.
    const team = ensemble([a, b, { model: b, weights: await a.stateDict() }]);
    const report = await team.evaluate({ data: set.batch(16) });
    using x = tensor([0.5, -1, 2, 0.25], [2, 2]);
    using predicted = await team.predict(x);
    assert.match(predicted.device, new RegExp(`^${each}`));
    results.push({ report, p: [...(await predicted.data())] });
  }
  const [there, here] = results;
  assert.ok(there && here);
  assert.equal(there.report.accuracy, here.report.accuracy);
  assert.equal(there.report.disagreement, here.report.disagreement);
  // Logits below 4, whose f32 products and exponentials differ in their last bits.
  const near = (actual: number, expected: number): void =>
    assert.ok(Math.abs(actual - expected) < 1e-5, `${actual}, expected ${expected}`);
  near(there.report.logLoss, here.report.logLoss);
  near(there.report.calibrationError, here.report.calibrationError);
  here.p.forEach((expected, i) => {
    near(there.p[i] ?? Number.NaN, expected);
  });
});
