// Training on augmented images, with mixed targets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crop, cutmix, cutout, Dataset, flip, mixup, rotate } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';
import { sgd } from '../../src/optim/index.js';
import * as train from '../../src/train/index.js';
import { f32, i32 } from '../io/host.js';

/** 8x8 images of three classes: a bright bar at the top, in the middle, at the bottom. */
function bars(count: number): Dataset {
  const pixels = Array.from({ length: count * 64 }, (_, at) => {
    const [image, row] = [Math.floor(at / 64), Math.floor((at % 64) / 8)];
    return row >> 1 === (image % 3) + (image % 3 === 2 ? 1 : 0) ? 1 : ((at * 7919) % 31) / 100;
  });
  return Dataset.fromArrays({
    x: f32(pixels, [count, 8, 8, 1]),
    y: i32(Array.from({ length: count }, (_, image) => image % 3)),
  });
}

test('accuracy of mixed targets is that of their largest share', async () => {
  const model = nn.sequential([nn.flatten()]);
  model.build([3], 0);
  const x = f32([9, 0, 0, 0, 9, 0, 0, 0, 9, 9, 0, 0], [4, 3]);
  const soft = f32([0.6, 0.4, 0, 0.7, 0.3, 0, 0, 0.1, 0.9, 0.2, 0.3, 0.5], [4, 3]);
  const { accuracy, loss } = await train.evaluate(model, { data: Dataset.fromArrays({ x, y: soft }).batch(4) });
  assert.equal(accuracy, 0.5);
  // The cross-entropy of each row: log(e^9 + 2) less 9 times the share of the class whose logit is 9.
  const expected = Math.log(Math.exp(9) + 2) - (9 * (0.6 + 0.3 + 0.9 + 0.2)) / 4;
  assert.ok(Math.abs((loss ?? 0) - expected) < 1e-5, `${loss}, expected ${expected}`);
});

test('augmented training learns, and is the same each time, however far ahead batches are made', async () => {
  const transforms = [
    flip(),
    crop({ padding: 1, border: 'edge' }),
    rotate({ degrees: 5 }),
    cutout({ size: 2 }),
    mixup(),
  ];
  const loader = bars(240)
    .shuffle()
    .batch(20)
    .augment(transforms)
    .augment([cutmix({ alpha: 0.5 })]);
  const histories: unknown[] = [];
  for (const data of [loader, loader, loader.prefetch(5)]) {
    const model = nn.models.mlp({ hidden: [16], outputs: 3 });
    await using run = train.fit(model, {
      data,
      validation: bars(60).batch(60),
      epochs: 8,
      optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
      seed: 3,
    });
    const { history } = await run.result;
    assert.equal(history.at(-1)?.metrics.val_accuracy, 1);
    assert.ok((history.at(-1)?.metrics.accuracy ?? 0) > 0.6);
    histories.push(history.map(({ metrics }) => metrics));
  }
  assert.deepEqual(histories[1], histories[0]);
  assert.deepEqual(histories[2], histories[0]);
});

test('the event loop turns while large batches are augmented', async () => {
  const images = f32(new Array(64 * 64 * 64 * 3).fill(0.5), [64, 64, 64, 3]);
  const loader = Dataset.fromArrays({ x: images, y: i32(new Array(64).fill(0)) })
    .batch(64)
    .augment([rotate({ degrees: 30 }), rotate({ degrees: 30 }), rotate({ degrees: 30 })]);
  let turns = 0;
  let going = true;
  const turn = (): void => {
    turns += 1;
    if (going) setImmediate(turn);
  };
  for await (const { size } of loader.epoch(0)) {
    assert.equal(size, 64);
    break;
  }
  setImmediate(turn);
  for await (const { size } of loader.epoch(1)) assert.equal(size, 64);
  going = false;
  // 800,000 pixels, three times: tens of milliseconds, in which an idle loop turns thousands of times.
  assert.ok(turns > 20, `${turns} turns`);
});
