// Memory that is out at any one allocation: the call fails, nothing is left behind, and what comes next is right.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sync } from '../../src/device.js';
import { AnnealError } from '../../src/errors.js';
import { sgd } from '../../src/optim/index.js';
import * as train from '../../src/train/index.js';
import { blobs, mlp } from '../support/blobs.js';
import { raw } from '../support/raw.js';
import { capturedSteps, eagerSteps, holdings, lossesOf, type Steps } from './steps.js';

after(() => {
  raw.failAllocation(0, 0);
  raw.failScratch(0, 0);
});

/** One failure, and one where freeing what the pool keeps did not help either. */
const RESCUED = 1;
const HARD = 2;

/** The error of `fn`, or null; whatever it is, it must be that of memory. */
async function outOfMemory(fn: () => Promise<unknown>): Promise<AnnealError | null> {
  try {
    await fn();
    return null;
  } catch (error) {
    assert.ok(error instanceof AnnealError, String(error));
    assert.equal(error.code, 'E_OOM', error.message);
    return error;
  }
}

async function everyAllocationOfAStep(make: () => Steps, warm: number): Promise<number> {
  const losses = await lossesOf(make, warm + 3);
  for (let first = 1; ; first++) {
    const before = holdings();
    const steps = make();
    for (let i = 0; i < warm; i++) assert.equal(await steps.step(), losses[i]);
    const started = holdings();
    raw.failAllocation(first, HARD);
    const failed = await outOfMemory(() => steps.step());
    if (!raw.failAllocation(0, 0)) {
      // Fewer allocations than that: all of them have been seen.
      assert.equal(failed, null);
      steps.dispose();
      assert.deepEqual(holdings(), before);
      return first - 1;
    }
    assert.ok(failed, `allocation ${first} failed, and nobody said so`);
    if (warm > 0) assert.deepEqual(holdings(), started, `after allocation ${first}: ${failed.message}`);
    // The update may have been done, where what failed came after it.
    for (let i = 0; i < 2; i++) {
      const { done } = steps;
      assert.equal(await steps.step(), losses[done], `the step after allocation ${first} failed`);
    }
    steps.dispose();
    assert.deepEqual(holdings(), before, `after allocation ${first}: ${failed.message}`);
  }
}

for (const [name, make] of [
  ['op by op', eagerSteps],
  ['captured', capturedSteps],
] as const) {
  test(`any allocation of the first step, which makes weights and optimizer, may fail; ${name}`, async (t) => {
    const count = await everyAllocationOfAStep(make, 0);
    t.diagnostic(`${count} allocations`);
    assert.ok(count > 30, `${count} allocations`);
  });

  test(`any allocation of a later step may fail; ${name}`, async (t) => {
    const count = await everyAllocationOfAStep(make, 2);
    t.diagnostic(`${count} allocations`);
    assert.ok(count >= 3, `${count} allocations`);
  });
}

test('an allocation that the pool can make room for is not missed', async () => {
  const losses = await lossesOf(eagerSteps, 3);
  const steps = eagerSteps();
  for (let first = 1; first <= 3; first++) {
    raw.failAllocation(5 * first, RESCUED);
    assert.equal(await steps.step(), losses[first - 1]);
    assert.ok(raw.failAllocation(0, 0));
  }
  steps.dispose();
});

test('scratch memory that a kernel lacks is an error with its name; the device goes on', async () => {
  const losses = await lossesOf(eagerSteps, 1);
  const before = holdings();
  let failures = 0;
  for (let first = 1; first < 12; first++) {
    const steps = eagerSteps();
    await sync();
    raw.failScratch(first, 1);
    const failed = await outOfMemory(() => steps.step());
    raw.failScratch(0, 0);
    if (failed) {
      failures++;
      assert.match(failed.message, /^[a-z0-9_]+: out of memory, as was asked for: \d+ bytes of scratch$/);
    }
    steps.dispose();
    assert.deepEqual(holdings(), before);
    assert.deepEqual(await lossesOf(eagerSteps, 1), losses);
  }
  assert.ok(failures > 0, 'no kernel of the step takes scratch memory');
});

const data = blobs(48, 1).shuffle().batch(16);
const validation = blobs(20, 2).batch(16);

async function fitted(model: ReturnType<typeof mlp>): Promise<train.FitResult['history'][number]['metrics'][]> {
  await using run = train.fit(model, {
    data,
    validation,
    epochs: 2,
    seed: 5,
    optimizer: sgd({ lr: 0.1, momentum: 0.9, ema: { decay: 0.8 } }),
    callbacks: [train.updateRatio({ every: 2 }), train.earlyStopping({ patience: 9, restoreBest: true })],
  });
  return (await run.result).history.map(({ metrics }) => metrics);
}

test('any allocation of a training run may fail', async (t) => {
  const before = holdings();
  const reference = mlp(0.1);
  const expected = await fitted(reference);
  reference.dispose();
  assert.deepEqual(holdings(), before);
  let count = 0;
  let failures = 0;
  for (let first = 1; ; first++) {
    const model = mlp(0.1);
    raw.failAllocation(first, HARD);
    const failed = await outOfMemory(() => fitted(model));
    const begun = raw.failAllocation(0, 0);
    if (failed) failures++;
    model.dispose();
    assert.deepEqual(holdings(), before, `after allocation ${first}: ${failed?.message}`);
    if (!begun) break;
    count = first;
    if (first % 10 === 0) {
      const again = mlp(0.1);
      assert.deepEqual(await fitted(again), expected);
      again.dispose();
    }
  }
  t.diagnostic(`${count} allocations, ${failures} of which ended the run`);
  assert.ok(count > 50 && failures > 50);
});
