// What is declared, what is drawn from it, and the grids over it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gridProposals, randomProposals } from '../../src/search/proposals.js';
import { categorical, float, int, when } from '../../src/search/space.js';
import { refuses } from '../support/refuses.js';

const space = {
  lr: float(1e-4, 1, { log: true }),
  dropout: float(0, 0.5, { step: 0.1 }),
  units: int(16, 256, { log: true }),
  layers: int(1, 9, { step: 2 }),
  optimizer: categorical(['sgd', 'adamw']),
  momentum: when({ optimizer: 'sgd' }, float(0.5, 0.99)),
  nesterov: when({ optimizer: ['sgd'], layers: [1, 3] }, categorical([true, false])),
};
const TRIALS = 4000;
const drawn = Array.from({ length: TRIALS }, (_, k) => randomProposals(space, 7, TRIALS).parameters(k));
const numbersOf = (name: string): number[] =>
  drawn.flatMap(({ [name]: value }) => (typeof value === 'number' ? [value] : []));

test('draws are a function of seed, name and number of the trial alone', () => {
  const again = randomProposals(space, 7, 10);
  assert.deepEqual(again.parameters(3), drawn[3]);
  assert.deepEqual([9, 3, 3].map(again.parameters), [drawn[9], drawn[3], drawn[3]]);
  const { lr, units } = space;
  assert.deepEqual(randomProposals({ units, lr }, 7, 5).parameters(3), {
    units: drawn[3]?.units,
    lr: drawn[3]?.lr,
  });
  assert.notEqual(randomProposals(space, 8, 5).parameters(3).lr, drawn[3]?.lr);
  assert.deepEqual(randomProposals({ lr }, 1, 1).parameters(0), { lr: randomProposals(space, 1, 1).parameters(0).lr });
});

/** Shares of values in four equal parts of [low, high). */
function quarters(values: readonly number[], low: number, high: number): number[] {
  const counts = [0, 0, 0, 0];
  for (const value of values) {
    const part = Math.min(3, Math.floor((4 * (value - low)) / (high - low)));
    counts[part] = (counts[part] ?? 0) + 1;
  }
  return counts.map((count) => count / values.length);
}

test('floats are uniform, or their logarithms are; steps are kept', () => {
  // A share of 4000 draws has a standard deviation below 0.007: 5 of them.
  for (const share of quarters(numbersOf('lr').map(Math.log), Math.log(1e-4), 0))
    assert.ok(Math.abs(share - 0.25) < 0.035);
  for (const share of quarters(numbersOf('momentum'), 0.5, 0.99)) assert.ok(Math.abs(share - 0.25) < 0.05);
  assert.deepEqual([...new Set(numbersOf('dropout'))].sort(), [0, 0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.ok(numbersOf('lr').every((lr) => lr >= 1e-4 && lr <= 1));
});

test('whole numbers reach both ends, with their share each', () => {
  const layers = numbersOf('layers');
  assert.deepEqual([...new Set(layers)].sort(), [1, 3, 5, 7, 9]);
  for (const value of [1, 9]) {
    const share = layers.filter((each) => each === value).length / TRIALS;
    assert.ok(Math.abs(share - 0.2) < 0.035, `${share}`);
  }
  const units = numbersOf('units');
  assert.ok(units.every((each) => Number.isInteger(each) && each >= 16 && each <= 256));
  const below64 = units.filter((each) => each < 64).length / TRIALS; // half of the octaves
  assert.ok(Math.abs(below64 - 0.5) < 0.04, `${below64}`);
  const tiny = randomProposals({ n: int(1, 3, { log: true }) }, 1, 1);
  assert.deepEqual(new Set(Array.from({ length: 60 }, (_, k) => tiny.parameters(k).n)), new Set([1, 2, 3]));
});

test('parameters under a condition are there only where it holds', () => {
  assert.ok(drawn.some(({ optimizer }) => optimizer === 'sgd') && drawn.some(({ optimizer }) => optimizer === 'adamw'));
  for (const each of drawn) {
    assert.equal('momentum' in each, each.optimizer === 'sgd');
    assert.equal('nesterov' in each, each.optimizer === 'sgd' && Number(each.layers) <= 3);
  }
});

test('a grid has every combination once, the last parameter changing fastest', () => {
  const small = gridProposals({ lr: float(0.01, 1, { log: true }), act: categorical(['relu', 'gelu']) }, 3);
  assert.equal(small.count, 6);
  assert.deepEqual(
    Array.from({ length: 6 }, (_, k) => small.parameters(k)).map(({ lr, act }) => [Number(lr).toFixed(6), act]),
    [
      ['0.010000', 'relu'],
      ['0.010000', 'gelu'],
      ['0.100000', 'relu'],
      ['0.100000', 'gelu'],
      ['1.000000', 'relu'],
      ['1.000000', 'gelu'],
    ],
  );
  const conditional = gridProposals(space, { lr: 2, dropout: 2, units: 2, layers: 2, momentum: 3 });
  // For each of 2 * 2 * 2 * 2: adamw once, sgd with 3 momenta, of which layers 1 also has 2 values of nesterov.
  assert.equal(conditional.count, 8 * (1 + 3 * 2) + 8 * (1 + 3));
  const all = Array.from({ length: conditional.count }, (_, k) => JSON.stringify(conditional.parameters(k)));
  assert.equal(new Set(all).size, all.length);
});

test('grids over whole numbers and steps take what is there', () => {
  const values = (parameter: ReturnType<typeof int>, points?: number) => {
    const proposals = gridProposals({ n: parameter }, points);
    return Array.from({ length: proposals.count }, (_, k) => proposals.parameters(k).n);
  };
  assert.deepEqual(values(int(1, 4)), [1, 2, 3, 4]);
  assert.deepEqual(values(int(1, 4), 9), [1, 2, 3, 4]);
  assert.deepEqual(values(int(1, 9), 3), [1, 5, 9]);
  assert.deepEqual(values(int(16, 256, { log: true }), 5), [16, 32, 64, 128, 256]);
  assert.deepEqual(values(float(0, 0.5, { step: 0.1 })), [0, 0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.deepEqual(values(float(0, 0.5, { step: 0.1 }), 2), [0, 0.5]);
  assert.deepEqual(values(float(2, 4), 1), [3]);
});

test('declarations that make no sense are refused', () => {
  refuses(() => float(1, 0), 'E_ARGUMENT', /low <= high/);
  refuses(() => float(0, 1, { log: true }), 'E_ARGUMENT', /positive low/);
  refuses(() => float(1, 2, { log: true, step: 1 }), 'E_ARGUMENT', /step without log/);
  refuses(() => float(0, 1, { step: 0 }), 'E_ARGUMENT', /positive step/);
  refuses(() => int(0.5, 1), 'E_ARGUMENT', /whole bounds/);
  refuses(() => int(0, 4, { log: true }), 'E_ARGUMENT', /at least 1/);
  refuses(() => int(1, 4, { step: 0 }), 'E_ARGUMENT', /whole step/);
  refuses(() => categorical([]), 'E_ARGUMENT', /different choices/);
  refuses(() => categorical(['a', 'a']), 'E_ARGUMENT', /different choices/);
  refuses(() => randomProposals({}, 0, 1), 'E_ARGUMENT', /at least one parameter/);
  refuses(() => randomProposals({ a: int(1, 2) }, 0, 1.5), 'E_ARGUMENT', /trials/);
  refuses(
    () => randomProposals({ a: when({ b: 1 }, int(1, 2)), b: int(1, 2) }, 0, 1),
    'E_ARGUMENT',
    /condition of a to name parameters declared before it, received b/,
  );
  refuses(() => gridProposals({ a: float(0, 1) }, undefined), 'E_ARGUMENT', /points for a/);
  refuses(() => gridProposals({ a: float(0, 1) }, { b: 2 }), 'E_ARGUMENT', /points of a, received 'b'/);
  refuses(() => gridProposals({ a: float(0, 1) }, 0), 'E_ARGUMENT', /points/);
  refuses(() => gridProposals({ a: int(1, 2000), b: int(1, 2000) }, undefined), 'E_RANGE', /at most 1000000/);
});
