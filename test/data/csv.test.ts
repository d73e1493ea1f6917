import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type CsvOptions, csv, csvRecords, type Dataset, fromRecords } from '../../src/data/index.js';
import { failure, temporaryFolder } from '../io/host.js';
import { labelsOf, plainBatches } from './batches.js';

async function file(context: TestContext, text: string | Uint8Array, name = 'table.csv'): Promise<string> {
  const path = join(await temporaryFolder(context), name);
  await writeFile(path, text);
  return path;
}

function contents(dataset: Dataset) {
  const [batch] = dataset.batch(100).epoch(0);
  return {
    x: Array.from(batch?.x.data ?? []),
    y: Array.from(batch?.y.data ?? []),
    shapes: [batch?.x.shape, batch?.y.shape],
  };
}

const iris = `length,width,kind
5.5,2,setosa
 -1e2 ,0.25,virginica
"7","1",setosa
`;

test('csv: numbers, and a class for each label', async (context) => {
  const path = await file(context, iris);
  const dataset = await csv(path, { label: 'kind', normalize: { scale: 2, offset: 0 } });
  assert.deepEqual(contents(dataset), { x: [5.5, 2, -100, 0.25, 7, 1], y: [0, 1, 0], shapes: [[3, 2], [3]] });
  assert.deepEqual(
    [dataset.classes, dataset.skipped, dataset.normalize, dataset.batch(1).classCount],
    [['setosa', 'virginica'], 0, { scale: 2, offset: 0 }, 2],
  );
  const chosen = await csv(path, { label: 2, features: ['width', 0, 'width'], classes: ['virginica', 'x', 'setosa'] });
  assert.deepEqual(contents(chosen), {
    x: [2, 5.5, 2, 0.25, -100, 0.25, 1, 7, 1],
    y: [2, 0, 2],
    shapes: [[3, 3], [3]],
  });
  const value = await csv(path, { label: 'width', features: ['length'], target: 'value' });
  assert.deepEqual(contents(value), {
    x: [5.5, -100, 7],
    y: [2, 0.25, 1],
    shapes: [
      [3, 1],
      [3, 1],
    ],
  });
  assert.equal(value.classes, undefined);
});

test('csv: without header, other delimiters, byte order mark, line ends, quotes, gzip', async (context) => {
  const plain = await csv(await file(context, '10;1\r\n9;2\r\n\r\n10;3\r\n'), {
    label: 0,
    header: false,
    delimiter: ';',
  });
  assert.deepEqual(contents(plain), { x: [1, 2, 3], y: [1, 0, 1], shapes: [[3, 1], [3]] });
  assert.deepEqual(plain.classes, ['9', '10'], 'numbers ascend as numbers');
  const marked = await csv(await file(context, '\ufeffa,b\n1,"x, ""y""\nz"\n'), { label: 'b', features: ['a'] });
  assert.deepEqual(marked.classes, ['x, "y"\nz']);
  const zipped = await csv(await file(context, gzipSync(iris), 'iris.csv.gz'), { label: 'kind' });
  assert.equal(zipped.length, 3);
});

const bad = `a,b,kind
1,2,x
1,x
3,four,y
"5
",6,y
7,,x
8,9,z
NaN,1,x
`;

test('csv: bad records are named by record, file and line, or left out and counted', async (context) => {
  const path = await file(context, bad);
  const options = { label: 'kind', classes: ['x', 'y'] } satisfies CsvOptions;
  await assert.rejects(
    csv(path, options),
    failure('E_FORMAT', /^record 1: .*table\.csv:3: expected 3 fields, received 2$/),
  );
  const dataset = await csv(path, { ...options, onBad: 'skip' });
  assert.deepEqual(contents(dataset), { x: [1, 2, 5, 6], y: [0, 1], shapes: [[2, 2], [2]] });
  assert.equal(dataset.skipped, 5);
  const rejects = async (text: string, message: RegExp, more: Partial<CsvOptions> = {}): Promise<void> => {
    const { classes: _, ...rest } = { ...options, ...more };
    await assert.rejects(
      csv(await file(context, text), more.classes ? { ...rest, classes: more.classes } : rest),
      failure('E_FORMAT', message),
    );
  };
  await rejects('a,kind\n1,x\n"2\n",y\nfour,x\n', /^record 2: .*:5: expected a number in column 'a', received 'four'$/);
  await rejects('a,kind\n,x\n', /:2: expected a number in column 'a', received ''$/);
  await rejects('a,kind\n1,z\n', /:2: expected a label of x, y, received 'z'$/, { classes: ['x', 'y'] });
  await rejects('a,kind\n1,z\n', /:2: expected a number as the label, received 'z'$/, { target: 'value' });
  await rejects('1,2\n1,b\n', /record 1: .*:2: expected a number in column 1, received 'b'$/, {
    header: false,
    label: 0,
  });
  await rejects('a,kind\n1,"z\n', /table\.csv: expected a CSV file \(/);
  await rejects('a,kind\n', /table\.csv: expected at least one record/);
  await rejects('', /expected at least one record/);
  await rejects('a,b\n1,2\n', /expected a column one of a, b, or of 0\.\.1, received 'kind'$/);
  await rejects('a,kind\n1,2\n', /received '7'$/, { features: [7] });
  await assert.rejects(csv('/no/such.csv', options), failure('E_IO', /^\/no\/such\.csv: expected a readable file/));
  const cut = gzipSync(iris).subarray(0, 30);
  await assert.rejects(csv(await file(context, cut, 'cut.csv.gz'), options), failure('E_IO', /cut\.csv\.gz: expected/));
});

test('csvRecords: a stream, anew in each epoch', async (context) => {
  const path = await file(context, bad);
  const records = csvRecords(path, { label: 'kind', classes: ['x', 'y'] });
  const loader = fromRecords(records, { batch: 2, onBad: 'skip', classCount: 2 });
  for (const epoch of [0, 1]) {
    assert.deepEqual((await plainBatches(loader.epoch(epoch)))[0]?.x, {
      data: [1, 2, 5, 6],
      shape: [2, 2],
      dtype: 'f32',
    });
    assert.equal(loader.skipped, 5);
  }
  await assert.rejects(
    labelsOf(fromRecords(records, { batch: 2 }).epoch(0)),
    failure('E_FORMAT', /^record 1: .*table\.csv:3: expected 3 fields, received 2$/),
  );
  const values = fromRecords(
    csvRecords(await file(context, iris), { label: 'width', features: ['length'], target: 'value' }),
    {
      batch: 9,
    },
  );
  assert.deepEqual((await plainBatches(values.epoch(0)))[0]?.y, { data: [2, 0.25, 1], shape: [3, 1], dtype: 'f32' });
  for await (const { size } of fromRecords(records, { batch: 1 }).epoch(0)) {
    assert.equal(size, 1);
    break; // leaving closes the file
  }
  assert.throws(() => csvRecords(path, { label: 'kind' }), failure('E_ARGUMENT', /csvRecords: expected classes/));
});
