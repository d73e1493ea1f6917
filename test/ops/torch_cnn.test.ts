// A whole training run against PyTorch: 20 steps of SGD with momentum and weight decay on a small CNN.
//
// Both runs are float32; PyTorch's own float32 and float64 runs differ by 7e-7 in the parameters (the fixture's script
// prints it). 1e-4 of a parameter's largest value leaves room for another order of summation over 20 steps, and none
// for a wrong sign, factor or order in the optimizer: those show at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sgd } from '../../src/optim/index.js';
import { cnnFixture, trainCnn } from '../support/cnn.js';

const TOLERANCE = 1e-4;

test('20 steps of a CNN agree with PyTorch', () => {
  const { lr, momentum, weightDecay, losses, after } = cnnFixture;
  // PyTorch decays biases too
  const run = trainCnn(cnnFixture, sgd({ lr, momentum, groups: [{ match: /./, weightDecay }] }));
  assert.equal(run.losses.length, losses.length);
  losses.forEach((expected, step) => {
    const received = run.losses[step] ?? Number.NaN;
    assert.ok(
      Math.abs(received - expected) <= TOLERANCE * expected,
      `loss of step ${step}: expected ${expected}, received ${received}`,
    );
  });
  let largest = 0;
  for (const [name, { sum, sumAbs, max, indices, values }] of Object.entries(after)) {
    const received = run.parameters.get(name);
    assert.ok(received, name);
    indices.forEach((index, i) => {
      const difference = Math.abs((received[index] ?? Number.NaN) - values[i]!) / max;
      assert.ok(difference <= TOLERANCE, `${name}[${index}]: expected ${values[i]}, received ${received[index]}`);
      largest = Math.max(largest, difference);
    });
    const total = received.reduce((a, b) => a + b, 0);
    const totalAbs = received.reduce((a, b) => a + Math.abs(b), 0);
    assert.ok(Math.abs(total - sum) <= TOLERANCE * sumAbs, `sum of ${name}: expected ${sum}, received ${total}`);
    assert.ok(
      Math.abs(totalAbs - sumAbs) <= TOLERANCE * sumAbs,
      `sum of |${name}|: expected ${sumAbs}, received ${totalAbs}`,
    );
  }
  console.log(`largest difference of a sampled parameter: ${largest.toExponential(1)} of the largest in its tensor`);
});
