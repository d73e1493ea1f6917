// What chooses, cuts, relabels and joins the examples of a dataset.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { classWeights, Dataset } from '../../src/data/index.js';
import { f32, failure, i32, u8 } from '../io/host.js';
import { labelsOf, range } from './batches.js';

/** x of example r is [r], its class the r-th of `classes`. */
function classed(classes: readonly number[]): Dataset {
  return Dataset.fromArrays({ x: f32(range(classes.length), [classes.length, 1]), y: i32(classes) });
}

/** Which examples of `classed` these are. */
function rowsOf(dataset: Dataset): number[] {
  return [...dataset.batch(Math.max(1, dataset.length)).epoch(0)].flatMap(({ x }) => Array.from(x.data));
}

const classes = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 60 });

test('filter and select', () => {
  const data = classed([3, 1, 4, 1, 5, 9, 2, 6]);
  assert.deepEqual(rowsOf(data.filter((y) => y < 4)), [0, 1, 3, 6]);
  assert.deepEqual(
    rowsOf(data.skip(2).filter((y, index) => y < 4 || index === 0)),
    [2, 3, 6],
    'an index counts from the start of the dataset at hand',
  );
  assert.deepEqual(rowsOf(data.skip(1).select([4, 0, 4])), [5, 1, 5]);
  assert.throws(() => data.select([8]), failure('E_RANGE', /positions within 0\.\.7, received 8/));
  assert.throws(() => data.select([0.5]), failure('E_RANGE', /received 0\.5/));
  const soft = Dataset.fromArrays({ x: f32([1, 2], [2, 1]), y: f32([0, 1, 1, 0], [2, 2]) });
  assert.throws(
    () => soft.filter(() => true),
    failure('E_SHAPE', /one label for each example, y \[N\], received y \[N,2\]/),
  );
});

test('relabel: digits 5 to 9 as classes 0 to 4', async () => {
  const data = classed([7, 1, 5, 9]).filter((y) => y >= 5);
  const moved = data.relabel((y) => y - 5, { classes: ['five', 'six', 'seven', 'eight', 'nine'] });
  assert.deepEqual(await labelsOf(moved.batch(9).epoch(0)), [[2, 0, 4]]);
  assert.deepEqual(moved.classes, ['five', 'six', 'seven', 'eight', 'nine']);
  assert.deepEqual([moved.batch(2).classCount, data.batch(2).classCount, classed([]).batch(1).classCount], [5, 10, 0]);
  assert.deepEqual(rowsOf(moved), rowsOf(data));
  assert.deepEqual(Array.from(data.labels()), [7, 5, 9], 'the dataset itself stays');
  const bytes = Dataset.fromArrays({ x: f32([1], [1, 1]), y: u8([1]) }).relabel((y) => -y);
  assert.deepEqual(bytes.labels(), Int32Array.of(-1));
  const quantities = Dataset.fromArrays({ x: f32([1], [1, 1]), y: f32([1]) }).relabel((y) => y / 4);
  assert.deepEqual(quantities.labels(), Float32Array.of(0.25));
  assert.equal(quantities.batch(1).classCount, undefined);
  assert.throws(() => data.relabel(() => 0.5), failure('E_DTYPE', /whole number for the class at 0, received 0\.5/));
});

test('concat: the examples of all, in order', async () => {
  const data = classed([3, 1, 4, 1, 5]);
  const other = classed([9, 2, 6]).shuffle();
  const joined = data.skip(3).concat(other, data.take(1));
  assert.deepEqual(Array.from(joined.labels()), [1, 5, 9, 2, 6, 3]);
  assert.deepEqual(rowsOf(joined), [3, 4, 0, 1, 2, 0]);
  assert.deepEqual(rowsOf(joined.concat(data.skip(4))), [3, 4, 0, 1, 2, 0, 4]);
  assert.deepEqual(rowsOf(joined.skip(1).take(3)), [4, 0, 1]);
  const seen = (await labelsOf(joined.shuffle({ seed: 1 }).batch(4).epoch(0))).flat();
  assert.deepEqual([...seen].sort(), [1, 2, 3, 5, 6, 9]);
  assert.throws(
    () => data.concat(Dataset.fromArrays({ x: f32([1, 2], [1, 2]), y: i32([1]) })),
    failure('E_SHAPE', /dataset: x: expected examples of shape \[1\], received \[2\]/),
  );
  assert.throws(
    () => data.concat(Dataset.fromArrays({ x: f32([1], [1, 1]), y: f32([1]) })),
    failure('E_DTYPE', /dataset: y: expected i32, received f32/),
  );
  const scaled = Dataset.fromArrays({ x: f32([1], [1, 1]), y: i32([1]) }, { normalize: { scale: 2, offset: 0 } });
  assert.throws(() => data.concat(scaled), failure('E_ARGUMENT', /same normalize/));
});

test('folds: each example is held out once', () => {
  fc.assert(
    fc.property(classes, fc.integer({ min: 2, max: 9 }), fc.nat(1000), fc.boolean(), (list, wanted, seed, stratify) => {
      const k = Math.min(wanted, list.length);
      const data = classed(list);
      const folds = data.folds(k, { seed, stratify });
      assert.equal(folds.length, k);
      const held = folds.map(({ validation }) => rowsOf(validation));
      assert.deepEqual(
        held.flat().sort((a, b) => a - b),
        range(list.length),
      );
      for (const [index, { train }] of folds.entries()) {
        const mine = new Set(held[index]);
        assert.deepEqual(
          rowsOf(train),
          range(list.length).filter((row) => !mine.has(row)),
        );
        assert.deepEqual(
          held[index],
          [...mine].sort((a, b) => a - b),
          'in the order of the dataset',
        );
      }
      const spread = (counts: number[]): number => Math.max(...counts) - Math.min(...counts);
      assert.ok(spread(held.map(({ length }) => length)) <= 1);
      if (stratify) {
        for (const c of new Set(list)) {
          assert.ok(spread(held.map((rows) => rows.filter((row) => list[row] === c).length)) <= 1, `class ${c}`);
        }
      }
      assert.deepEqual(
        data.folds(k, { seed, stratify }).map(({ validation }) => rowsOf(validation)),
        held,
      );
    }),
    { seed: 2, numRuns: 200 },
  );
  const data = classed(new Array(40).fill(0));
  const first = (seed: number): number[] => rowsOf(data.folds(4, { seed })[0]?.validation ?? data);
  assert.notDeepEqual(first(1), first(2));
  assert.throws(() => data.folds(1), failure('E_RANGE', /folds: expected a whole number >= 2, received 1/));
  assert.throws(() => data.folds(41), failure('E_RANGE', /at most 40 folds, received 41/));
});

test('split: stratified, each part has its share of every class', () => {
  fc.assert(
    fc.property(classes, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(1000), (list, fraction, seed) => {
      const [chosen, rest] = classed(list).split(fraction, { seed, stratify: true }).map(rowsOf);
      assert.ok(chosen && rest);
      assert.deepEqual(
        [...chosen, ...rest].sort((a, b) => a - b),
        range(list.length),
      );
      assert.equal(chosen.length, Math.round(fraction * list.length));
      for (const c of new Set(list)) {
        const share = fraction * list.filter((each) => each === c).length;
        assert.ok(Math.abs(chosen.filter((row) => list[row] === c).length - share) <= 1, `class ${c}`);
      }
    }),
    { seed: 3, numRuns: 200 },
  );
  const quantities = Dataset.fromArrays({ x: f32([1, 2], [2, 1]), y: f32([1, 2]) });
  assert.throws(
    () => quantities.split(0.5, { stratify: true }),
    failure('E_DTYPE', /expected classes, i32 or u8, to stratify/),
  );
});

test('class weights: balanced', () => {
  // 4 of class 0, 1 of class 1, 0 of class 2, 3 of class 3: N / (3 n_c)
  const labels = [0, 0, 3, 0, 1, 3, 0, 3];
  const expected = [8 / 12, 8 / 3, 0, 8 / 9].map(Math.fround);
  assert.deepEqual(Array.from(classWeights(classed(labels))), expected);
  assert.deepEqual(Array.from(classWeights(labels, { classes: 5 })), [...expected, 0]);
  const total = labels.reduce((sum, label) => sum + (expected[label] ?? 0), 0);
  assert.ok(Math.abs(total / labels.length - 1) < 1e-6, 'the mean weight of an example is 1');
  assert.throws(() => classWeights(labels, { classes: 3 }), failure('E_RANGE', /labels below 3, received 3/));
  assert.throws(() => classWeights([0.5]), failure('E_RANGE', /label 0: expected a whole number/));
});
