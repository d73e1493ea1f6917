// Averaged probabilities against a plain computation in double precision.
import assert from 'node:assert/strict';
import { Dataset } from '../../src/data/index.js';
import { type EnsembleReport, ensemble } from '../../src/ensemble/index.js';
import { AnnealError } from '../../src/errors.js';
import * as nn from '../../src/nn/index.js';
import { create, sgd } from '../../src/optim/index.js';
import { tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { mlp } from '../support/blobs.js';
import { symmetric } from '../support/formula.js';
import { refuses, rejects } from '../support/refuses.js';
import { balanced, data, testSet, validation } from '../train/setup.js';

const CLASSES = 4;
const INPUTS = 3;

/** A linear model whose logits are known: x W, with weights so large that probabilities differ by hundreds of powers of e. */
function linear(seed: number, scale: number): nn.Sequential {
  const model = nn.sequential([nn.dense({ units: CLASSES, bias: false })]);
  model.build([INPUTS], seed);
  model.namedParameters().get('dense1.weight')?.write(weights(seed, scale));
  return model;
}

const weights = (seed: number, scale: number): Float32Array =>
  Float32Array.from({ length: INPUTS * CLASSES }, (_, i) => scale * symmetric(i, seed));

const N = 53;
const x = Float32Array.from({ length: N * INPUTS }, (_, i) => symmetric(i, 99));
const labels = Int32Array.from({ length: N }, (_, i) => (7 * i) % CLASSES);
const set = Dataset.fromArrays({
  x: { data: x, shape: [N, INPUTS], dtype: 'f32' },
  y: { data: labels, shape: [N], dtype: 'i32' },
});

/** log p [N][classes] in double precision. */
function logProbabilities(w: Float32Array): number[][] {
  return Array.from({ length: N }, (_, i) => {
    const logits = Array.from({ length: CLASSES }, (_, c) =>
      Array.from({ length: INPUTS }, (_, k) => (x[i * INPUTS + k] ?? 0) * (w[k * CLASSES + c] ?? 0)).reduce(
        (a, b) => a + b,
      ),
    );
    const largest = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    return logits.map((logit) => logit - largest - Math.log(sum));
  });
}

const argMax = (values: readonly number[]): number => values.indexOf(Math.max(...values));

/** Everything from its definition. */
function expected(members: readonly (readonly (readonly number[])[])[], bins: number) {
  const mean = labels.reduce<number[][]>((rows, _label, i) => {
    const logs = Array.from({ length: CLASSES }, (_, c) => {
      const each = members.map((rows) => rows[i]?.[c] ?? Number.NaN);
      const largest = Math.max(...each);
      return largest + Math.log(each.reduce((sum, value) => sum + Math.exp(value - largest), 0) / members.length);
    });
    rows.push(logs);
    return rows;
  }, []);
  const measure = (rows: readonly (readonly number[])[]) => {
    const named = rows.map(argMax);
    const conf = rows.map((row) => Math.exp(Math.max(...row)));
    let ece = 0;
    for (let m = 1; m <= bins; m++) {
      const inside = conf.flatMap((value, i) => (value > (m - 1) / bins && value <= m / bins ? [i] : []));
      if (inside.length === 0) continue;
      const acc = inside.filter((i) => named[i] === labels[i]).length / inside.length;
      const confidence = inside.reduce((sum, i) => sum + (conf[i] ?? 0), 0) / inside.length;
      ece += (inside.length / N) * Math.abs(acc - confidence);
    }
    const accuracy = named.filter((each, i) => each === labels[i]).length / N;
    const logLoss = -rows.reduce((sum, row, i) => sum + (row[labels[i] ?? 0] ?? 0), 0) / N;
    return { accuracy, logLoss, calibrationError: ece };
  };
  let [differing, pairs] = [0, 0];
  for (let a = 0; a < members.length; a++) {
    for (let b = a + 1; b < members.length; b++) {
      pairs++;
      const differ = (i: number): boolean =>
        argMax([...(members[a]?.[i] ?? [])]) !== argMax([...(members[b]?.[i] ?? [])]);
      differing += labels.reduce((sum, _label, i) => sum + Number(differ(i)), 0) / N;
    }
  }
  return { ...measure(mean), disagreement: pairs === 0 ? 0 : differing / pairs, members: members.map(measure) };
}

/** f32 log-probabilities carry 2^-24 of the largest logit: up to 300 here. */
function near(actual: number, value: number, what: string): void {
  assert.ok(Math.abs(actual - value) <= 1e-6 + 3e-6 * Math.abs(value), `${what}: ${actual}, expected ${value}`);
}

function check(actual: EnsembleReport, wanted: ReturnType<typeof expected>): void {
  assert.equal(actual.accuracy, wanted.accuracy);
  near(actual.logLoss, wanted.logLoss, 'logLoss');
  near(actual.calibrationError, wanted.calibrationError, 'calibrationError');
  near(actual.disagreement, wanted.disagreement, 'disagreement');
  assert.equal(actual.members.length, wanted.members.length);
  wanted.members.forEach((each, i) => {
    assert.equal(actual.members[i]?.accuracy, each.accuracy);
    near(actual.members[i]?.logLoss ?? Number.NaN, each.logLoss, `logLoss of member ${i}`);
    near(actual.members[i]?.calibrationError ?? Number.NaN, each.calibrationError, `calibrationError of member ${i}`);
  });
}

// Where members are certain, a mean is a third or two: not at the bound of a bin.
for (const [what, scale, bins] of [
  ['moderate', 2, 15],
  ['extreme', 300, 7],
] as const) {
  balanced(`all numbers are those of their definitions, with ${what} logits`, async () => {
    using a = linear(1, scale);
    using b = linear(2, scale);
    using c = linear(3, scale / 3);
    const logs = [weights(1, scale), weights(2, scale), weights(3, scale / 3)].map(logProbabilities);
    const loader = set.batch(10); // the last batch is smaller
    const report = await ensemble([a, b, c]).evaluate({ data: loader, ...(bins !== 15 && { bins }) });
    check(report, expected(logs, bins));
    assert.equal(report.examples, N);
    assert.equal(
      report.calibration.reduce((sum, { count }) => sum + count, 0),
      N,
    );
    check(await ensemble([a, b, c]).evaluate({ data: loader, bins: 4 }), expected(logs, 4));
    check(await ensemble([b]).evaluate({ data: loader }), expected(logs.slice(1, 2), 15));

    using batch = tensor(x, [N, INPUTS]);
    using probabilities = await ensemble([a, b, c]).predict(batch);
    assert.deepEqual(probabilities.shape, [N, CLASSES]);
    const values = await probabilities.data();
    for (let i = 0; i < N * CLASSES; i++) {
      const p = logs.reduce((sum, rows) => sum + Math.exp(rows[Math.floor(i / CLASSES)]?.[i % CLASSES] ?? 0), 0) / 3;
      near(values[i] ?? Number.NaN, p, `p ${i}`);
    }
  });
}

balanced('members may be weights that share one model, which has its own back afterwards', async () => {
  using a = linear(1, 2);
  using b = linear(2, 2);
  using c = linear(3, 2);
  const loader = set.batch(16);
  const separate = await ensemble([a, b, c]).evaluate({ data: loader });
  using shared = linear(2, 2);
  const own = await shared.stateDict();
  const [first, third] = [await a.stateDict(), await c.stateDict()];
  const team = ensemble([{ model: shared, weights: first }, shared, { model: shared, weights: third }]);
  assert.equal(team.size, 3);
  assert.deepEqual(await team.evaluate({ data: loader }), separate);
  assert.deepEqual(await shared.stateDict(), own);
  using batch = tensor(x, [N, INPUTS]);
  using here = await team.predict(batch);
  using there = await ensemble([a, b, c]).predict(batch);
  assert.deepEqual(await here.data(), await there.data());
  assert.deepEqual(await shared.stateDict(), own);
});

balanced('models that give probabilities', async () => {
  using logits = linear(1, 2);
  using model = nn.sequential([nn.dense({ units: CLASSES, bias: false, activation: 'softmax' })]);
  model.build([INPUTS], 1);
  model.loadStateDict(await logits.stateDict());
  check(
    await ensemble([model], { outputs: 'probabilities' }).evaluate({ data: set.batch(16) }),
    expected([logProbabilities(weights(1, 2))], 15),
  );
});

const cyclic = (callbacks: readonly train.Callback[], more: Partial<train.FitOptions> = {}) => ({
  data,
  validation,
  epochs: 4,
  seed: 3,
  optimizer: sgd({ lr: 0.1, ema: { decay: 0.8 } }),
  callbacks,
  ...more,
});

balanced('a run keeps its weights at the ends of cycles, by steps or epochs, raw or averaged', async () => {
  using model = mlp();
  const bySteps = ensemble.snapshots({ steps: 8 }); // 24 steps in all
  const byEpochs = ensemble.snapshots({ epochs: [1, 4], weights: 'ema' });
  const last = ensemble.snapshots({ steps: 6, last: 2 });
  const ends: nn.Weights[] = [];
  const watch: train.Callback = {
    name: 'watch',
    async onEpoch({ epoch }, run) {
      if (epoch === 0 || epoch === 3) ends.push(await run.weights('ema'));
    },
  };
  await using run = train.fit(model, cyclic([bySteps, byEpochs, last, watch]));
  await run.result;
  assert.equal(bySteps.kept.length, 3);
  assert.deepEqual(bySteps.kept[2], new Map(await model.stateDict()));
  assert.notDeepEqual(bySteps.kept[1], bySteps.kept[2]);
  assert.deepEqual(byEpochs.kept, ends);
  assert.equal(last.kept.length, 2);
  assert.deepEqual(last.kept[1], bySteps.kept[2]);

  const report = await ensemble(bySteps.kept.map((weights) => ({ model, weights }))).evaluate({
    data: testSet.batch(40),
  });
  assert.ok(report.accuracy > 0.8 && report.members.length === 3, JSON.stringify(report));
  // By the concavity of the logarithm.
  assert.ok(report.logLoss <= report.members.reduce((sum, { logLoss }) => sum + logLoss, 0) / 3);
});

balanced('the kept weights are part of a checkpoint', async () => {
  using model = mlp();
  const cycles = ensemble.snapshots({ epochs: 1 });
  await using run = train.fit(model, cyclic([cycles], { epochs: 2 }));
  await run.result;
  const restored = ensemble.snapshots({ epochs: 1 });
  const state = cycles.state?.();
  assert.ok(state);
  restored.load?.(state);
  assert.deepEqual(restored.kept, cycles.kept);
  assert.equal(restored.kept.length, 2);
});

balanced('an averaged copy beside the weights', async () => {
  using model = linear(1, 2);
  using optimizer = create(sgd({ lr: 1, ema: { decay: 0.5 } }), model.namedParameters());
  const averaged = await optimizer.withEma(() => model.stateDict());
  model.namedParameters().get('dense1.weight')?.write(weights(2, 2));
  const report = await ensemble([model, { model, weights: averaged }]).evaluate({ data: set.batch(16) });
  check(report, expected([weights(2, 2), weights(1, 2)].map(logProbabilities), 15));
});

balanced('what makes no sense is refused, and leaves nothing behind', async () => {
  refuses(() => ensemble([]), 'E_ARGUMENT', /at least one member/);
  refuses(() => ensemble([mlp()]), 'E_ARGUMENT', /models that are built/);
  refuses(() => ensemble.snapshots({}), 'E_ARGUMENT', /steps or epochs/);
  refuses(() => ensemble.snapshots({ steps: 1, epochs: 1 }), 'E_ARGUMENT', /steps or epochs/);
  refuses(() => ensemble.snapshots({ steps: 0 }), 'E_ARGUMENT', /steps to be an integer/);
  using model = linear(1, 2);
  const team = ensemble([model]);
  await rejects(team.evaluate({ data: set.batch(8), bins: 0 }), 'E_ARGUMENT', /bins/);
  await rejects(team.evaluate({ data: set.take(0).batch(8) }), 'E_ARGUMENT', /at least one batch/);
  await rejects(team.evaluate({ data: set.relabel((y) => y + 2).batch(8) }), 'E_RANGE', /within 0\.\.3, received/);
  const floats = Dataset.fromArrays({
    x: { data: x, shape: [N, INPUTS], dtype: 'f32' },
    y: { data: new Float32Array(N), shape: [N], dtype: 'f32' },
  });
  await rejects(team.evaluate({ data: floats.batch(8) }), 'E_SHAPE', /classes, received f32/);
  const own = await model.stateDict();
  const wrong = new Map([['dense1.weight', { shape: [1], data: new Float32Array(1) }]]);
  const unfit = ensemble([
    { model, weights: own },
    { model, weights: wrong },
  ]);
  await assert.rejects(unfit.evaluate({ data: set.batch(8) }), (error) => error instanceof AnnealError);
  assert.deepEqual(await model.stateDict(), own);
});
