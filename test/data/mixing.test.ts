// Mixing a batch's images and targets: one weight for both, partners of the same batch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutmix, type Loader, mixup } from '../../src/data/index.js';
import { plainBatches, range } from './batches.js';
import { images } from './some_images.js';

async function targets(loader: Loader, seed = 0) {
  const batches = await plainBatches(loader.epoch(0, { seed }));
  return batches.map(({ x, y }) => ({ x, y }));
}

test('mixup: images and targets by the same weight, one for a batch', async () => {
  for (const dtype of ['u8', 'f32'] as const) {
    const dataset = images([10, 2, 2, 1], dtype);
    const before = await targets(dataset.batch(5));
    const after = await targets(dataset.batch(5).augment([mixup({ alpha: 1 })]), 3);
    const weights = new Set<number>();
    for (const [index, { x, y }] of after.entries()) {
      assert.deepEqual([y.shape, y.dtype, x.dtype, x.shape], [[5, 3], 'f32', dtype, [5, 2, 2, 1]]);
      const source = before[index];
      assert.ok(source);
      const example = (i: number): number[] => source.x.data.slice(4 * i, 4 * i + 4);
      const matches = (i: number, j: number, weight: number): boolean =>
        example(i).every((own, at) => {
          const mixed = weight * own + (1 - weight) * (example(j)[at] ?? 0);
          return Math.abs(mixed - (x.data[4 * i + at] ?? 0)) <= (dtype === 'u8' ? 0.5 + 1e-4 : 1e-6);
        });
      const weight = weightOf(y.data, source.y.data);
      weights.add(weight);
      const partners = range(5).map((i) => range(5).find((j) => matches(i, j, weight)));
      assert.ok(
        partners.every((partner, i) => {
          if (partner === undefined) return false;
          const expected = range(3).map(
            (c) => (source.y.data[i] === c ? weight : 0) + (source.y.data[partner] === c ? 1 - weight : 0),
          );
          return expected.every((share, c) => Math.abs(share - (y.data[3 * i + c] ?? 0)) < 1e-6);
        }),
        `partners ${partners}`,
      );
    }
    assert.equal(weights.size, 2, 'another one for each batch');
  }
});

/** The share of an own class, of an example that was mixed with another class. */
function weightOf(soft: readonly number[], labels: readonly number[]): number {
  for (const [i, label] of labels.entries()) {
    const share = soft[3 * i + label] ?? 1;
    if (share < 1) return share;
  }
  return 1;
}

test('cutmix: a box of another image, its area in the targets', async () => {
  const dataset = images([12, 8, 6, 1], 'u8');
  const before = await targets(dataset.batch(6));
  const after = await targets(dataset.batch(6).augment([cutmix()]), 8);
  for (const [index, { x, y }] of after.entries()) {
    const source = before[index];
    assert.ok(source);
    const weight = weightOf(y.data, source.y.data);
    let boxes = 0;
    for (const i of range(6)) {
      const pixel = (images: readonly number[], of: number, at: number): number => images[of * 48 + at] ?? -1;
      const partner = range(6).find(
        (j) =>
          range(48).every((at) => [i, j].some((k) => pixel(x.data, i, at) === pixel(source.x.data, k, at))) &&
          Math.abs(
            (y.data[3 * i + (source.y.data[j] ?? 0)] ?? 0) - (source.y.data[i] === source.y.data[j] ? 1 : 1 - weight),
          ) < 1e-6,
      );
      assert.notEqual(partner, undefined, `image ${i}`);
      if (partner === i || partner === undefined) continue;
      const changed = range(48).filter((at) => pixel(x.data, i, at) !== pixel(source.x.data, i, at));
      const rows = changed.map((at) => Math.floor(at / 6));
      const columns = changed.map((at) => at % 6);
      const area = (Math.max(...rows) - Math.min(...rows) + 1) * (Math.max(...columns) - Math.min(...columns) + 1);
      assert.ok(Math.abs(1 - area / 48 - weight) < 1e-6 || changed.length < area, `${area} of 48, weight ${weight}`);
      boxes += 1;
    }
    assert.ok(boxes >= 3);
  }
});

test('mixing: soft targets may be mixed again', async () => {
  const twice = images([4, 2, 2, 1], 'f32')
    .batch(4)
    .augment([mixup({ alpha: 1 })])
    .augment([cutmix()]);
  for (const { y } of await targets(twice)) {
    for (const i of range(4)) {
      const total = range(3).reduce((sum, c) => sum + (y.data[3 * i + c] ?? 0), 0);
      assert.ok(Math.abs(total - 1) < 1e-6);
    }
  }
});
