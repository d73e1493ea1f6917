// Averages of the weights against plain loops in float64 over the weights of each step. PyTorch's AveragedModel is among the
// trajectories.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnnealError } from '../../src/errors.js';
import { create, type EmaOptions, type Optimizer, type SwaOptions, sgd } from '../../src/optim/index.js';
import { linear, rateAt } from '../../src/schedule/index.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { formula } from '../support/formula.js';

const N = 20;
const STEPS = 40;

interface Run {
  readonly optimizer: Optimizer;
  readonly parameter: Tensor<'f32'>;
}

function begin(average: { readonly ema: EmaOptions } | { readonly swa: SwaOptions }): Run {
  const parameter = tensor(formula(N, 1)).requireGrad();
  return { parameter, optimizer: create(sgd({ lr: 0.1, momentum: 0.5, ...average }), new Map([['w', parameter]])) };
}

/** Step t of a run; gives weights and average after it. */
function step({ optimizer, parameter }: Run, t: number): { weights: number[]; average: number[] } {
  parameter.grad = tensor(formula(N, 10 + t));
  optimizer.step();
  const average = optimizer.emaParameters().get('w');
  assert.ok(average);
  return { weights: [...parameter.dataSync()], average: [...average.dataSync()] };
}

// An average of f32 is rounded once or twice a step, at a magnitude of about 1: 5e-7 was measured at worst over these steps
const TOLERANCE = 2e-6;

function close(actual: readonly number[], expected: readonly number[], what: string): void {
  actual.forEach((value, i) => {
    const difference = Math.abs(value - (expected[i] ?? Number.NaN));
    assert.ok(difference <= TOLERANCE, `${what}: [${i}] is ${value}, expected ${expected[i]}`);
  });
}

for (const [name, decay] of [
  ['a constant decay', 0.9],
  ['a decay that rises', linear({ from: 0, end: 0.99, steps: 25 })],
  ['a decay of 1 at first', linear({ from: 1, end: 0.5, steps: 10 })],
] as const) {
  test(`bias correction is that of Adam's moments: ${name}`, () => {
    const run = begin({ ema: { decay, biasCorrection: true } });
    using _ = run.optimizer;
    const moment = new Array<number>(N).fill(0);
    let sum = 0;
    for (let t = 0; t < STEPS; t++) {
      const { weights, average } = step(run, t);
      const d = rateAt(decay, t);
      weights.forEach((weight, i) => {
        moment[i] = d * (moment[i] ?? 0) + (1 - d) * weight;
      });
      sum = d * sum + (1 - d);
      if (typeof decay === 'number') assert.ok(Math.abs(sum - (1 - decay ** (t + 1))) < 1e-12);
      const expected = sum > 0 ? moment.map((m) => m / sum) : weights;
      close(average, expected, `step ${t}`);
    }
  });
}

test('without correction the average begins at the first weights', () => {
  const run = begin({ ema: { decay: 0.8 } });
  using _ = run.optimizer;
  let expected = [...formula(N, 1)];
  for (let t = 0; t < STEPS; t++) {
    const { weights, average } = step(run, t);
    expected = expected.map((e, i) => e + 0.2 * ((weights[i] ?? 0) - e));
    close(average, expected, `step ${t}`);
  }
});

test('before its start an average is the weights, from then on it averages', () => {
  for (const biasCorrection of [false, true]) {
    const run = begin({ ema: { decay: 0.9, startStep: 7, biasCorrection } });
    using _ = run.optimizer;
    let expected: number[] = [];
    let sum = 0;
    for (let t = 0; t < STEPS; t++) {
      const { weights, average } = step(run, t);
      sum = t < 7 ? 0 : 0.9 * sum + 0.1;
      const rate = t < 7 ? 1 : biasCorrection ? 0.1 / sum : 0.1;
      expected = weights.map((weight, i) => (expected[i] ?? weight) * (1 - rate) + rate * weight);
      close(average, t < 7 ? weights : expected, `step ${t}`);
    }
  }
});

for (const { startStep, every } of [
  { startStep: 0, every: 1 },
  { startStep: 5, every: 1 },
  { startStep: 6, every: 4 },
]) {
  test(`equal averages of every ${every} from step ${startStep} on are means of snapshots`, () => {
    const run = begin({ swa: { startStep, every } });
    using _ = run.optimizer;
    const snapshots: number[][] = [];
    for (let t = 0; t < STEPS; t++) {
      const { weights, average } = step(run, t);
      if (t >= startStep && (t + 1 - startStep) % every === 0) snapshots.push(weights);
      const mean = weights.map((_w, i) => snapshots.reduce((sum, s) => sum + (s[i] ?? 0), 0) / snapshots.length);
      close(average, snapshots.length > 0 ? mean : weights, `step ${t}`);
    }
    assert.deepEqual(run.optimizer.hasEma, true);
  });
}

for (const average of [
  { ema: { decay: linear({ from: 0.2, end: 0.95, steps: 12 }), biasCorrection: true, startStep: 3 } },
  { swa: { startStep: 4, every: 3 } },
]) {
  test(`${JSON.stringify(average)} resumed at any step is bit-identical`, async () => {
    const straight = begin(average);
    using _ = straight.optimizer;
    const states = [];
    const expected = [];
    for (let t = 0; t < 14; t++) {
      states.push(JSON.parse(JSON.stringify(await rest(straight))));
      expected.push(step(straight, t));
    }
    for (const at of [0, 2, 4, 5, 9, 13]) {
      const resumed = begin(average);
      using _r = resumed.optimizer;
      const { weights, state, momentum, ema } = states[at];
      resumed.parameter.write(weights);
      const tensors = { 'momentum/w': momentum, 'ema/w': ema };
      resumed.optimizer.loadStateDict({
        ...state,
        tensors: Object.fromEntries(
          Object.entries(tensors).map(([name, data]) => [
            name,
            { dtype: 'f32', shape: [N], data: Float32Array.from(data as number[]) },
          ]),
        ),
      });
      for (let t = at; t < 14; t++) assert.deepEqual(step(resumed, t), expected[t], `from ${at}, step ${t}`);
    }
  });
}

/** All that a run is to be resumed from, as plain numbers: what is not a tensor survives JSON. */
async function rest({ optimizer, parameter }: Run) {
  const { tensors, ...state } = await optimizer.stateDict();
  const values = (name: string) => [...(tensors[name]?.data ?? [])];
  return { weights: [...parameter.dataSync()], state, momentum: values('momentum/w'), ema: values('ema/w') };
}

test('resetEma begins anew', () => {
  const run = begin({ ema: { decay: 0.9, biasCorrection: true } });
  using _ = run.optimizer;
  for (let t = 0; t < 5; t++) step(run, t);
  run.optimizer.resetEma();
  const { weights, average } = step(run, 5);
  close(average, weights, 'the first step of a new average');
});

test('swapIn puts the average in place until it is disposed', () => {
  const run = begin({ swa: { startStep: 0 } });
  const { optimizer, parameter } = run;
  using _ = optimizer;
  step(run, 0);
  const { weights, average } = step(run, 1);
  assert.notDeepEqual(weights, average);
  const seen = (): number[] => [...parameter.dataSync()];
  {
    using swapped = optimizer.swapIn();
    assert.deepEqual(seen(), average);
    assert.throws(() => optimizer.step(), /step: expected the parameters themselves/);
    assert.throws(() => optimizer.swapIn(), /swapIn: expected the parameters themselves/);
    swapped satisfies Disposable;
  }
  assert.deepEqual(seen(), weights);
  const first = optimizer.swapIn();
  optimizer.swapOut();
  optimizer.swapOut();
  assert.deepEqual(seen(), weights);
  optimizer.swapIn();
  first[Symbol.dispose](); // of an exchange that is over: this one stays
  assert.deepEqual(seen(), average);
  optimizer.swapOut();
  assert.deepEqual(seen(), weights);
});

test('bad averages are refused by name', () => {
  const bad: [() => unknown, RegExp][] = [
    [() => sgd({ lr: 1, ema: { decay: 1.5 } }), /sgd: expected ema\.decay in \[0, 1\], received 1\.5/],
    [() => sgd({ lr: 1, ema: { decay: 0.9, startStep: -1 } }), /ema\.startStep to be an integer of at least 0/],
    [() => sgd({ lr: 1, swa: { every: 0 } }), /sgd: expected swa\.every to be an integer of at least 1, received 0/],
    [() => sgd({ lr: 1, swa: { startStep: 1.5 } }), /swa\.startStep to be an integer/],
    [() => sgd({ lr: 1, swa: {}, ema: { decay: 0.9 } }), /sgd: expected ema or swa, received both/],
  ];
  for (const [call, message] of bad)
    assert.throws(call, (error: unknown) => error instanceof AnnealError && message.test(error.message));
});
