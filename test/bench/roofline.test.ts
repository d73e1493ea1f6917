// Limits and shares, from rates that are given and not measured.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cacheSizes } from '../../src/bench/caches.js';
import { leastShare } from '../../src/bench/least_products.js';
import { LimitLog } from '../../src/bench/limits.js';
import { compareToLimit } from '../../src/bench/measure.js';
import { limitOfAll, limitSeconds, limitsFor, type Placement, type Traffic } from '../../src/bench/roofline.js';
import { conv2dParams } from '../../src/ops/conv2d/conv2d.js';

const caches = { l1: 32 << 10, l2: 1 << 20, l3: 32 << 20 };
const warm: Placement = { cold: false, threads: 2, caches };
const cold: Placement = { ...warm, cold: true };
const rates = { fma: 400, triad: 60, read: 80, l1: 1000, l2: 500, l3: 100, sgd: 90, adamw: 70 };
const close = (a: number, b: number) => assert.ok(Math.abs(a - b) <= 1e-9 * Math.abs(b), `${a} is not ${b}`);
const traffic = (more: Partial<Traffic>): Traffic => ({
  flops: 0,
  products: 0,
  leastProducts: more.products ?? 0,
  bytes: 0,
  written: 0,
  workingSet: more.bytes ?? 0,
  ...more,
});

test('a product in cache is held to the multiply-add peak', () => {
  const square = traffic({ flops: 2 * 512 ** 3, products: 2 * 512 ** 3, bytes: 12 * 512 ** 2 });
  const { seconds, bound } = limitSeconds(square, rates, warm);
  assert.equal(bound, 'compute');
  close(seconds, (2 * 512 ** 3) / 400e9);
});

test('flops that are estimates are no limit', () => {
  const exponentials = traffic({ flops: 1e12, bytes: 1e9, written: 5e8 });
  assert.equal(limitSeconds(exponentials, rates, cold).bound, 'memory');
  assert.deepEqual(limitsFor(exponentials, cold), ['triad', 'read']);
});

test('out of cache, triad itself takes what triad takes, reading what reading takes, and a copy lies between', () => {
  close(limitSeconds(traffic({ bytes: 12e9, written: 4e9 }), rates, cold).seconds, 12 / 60);
  close(limitSeconds(traffic({ bytes: 8e9 }), rates, cold).seconds, 8 / 80);
  // Of 0.2 s, reading 8 bytes takes 0.1: writing 4 takes the other half.
  close(limitSeconds(traffic({ bytes: 8e9, written: 4e9 }), rates, cold).seconds, 4 / 80 + 0.1);
});

test('a reading loop slower than triad is not believed', () => {
  const disturbed = { ...rates, read: 30 };
  close(limitSeconds(traffic({ bytes: 12e9, written: 4e9 }), disturbed, cold).seconds, 12 / 60);
  close(limitSeconds(traffic({ bytes: 6e9 }), disturbed, cold).seconds, 6 / 60);
});

test('warm operands come from the smallest caches that may hold them, of all threads', () => {
  const at = (bytes: number) => limitSeconds(traffic({ bytes }), rates, warm).seconds;
  close(at(64 << 10), (64 << 10) / 1000e9);
  close(at(2 << 20), (2 << 20) / 500e9);
  close(at(32 << 20), (32 << 20) / 100e9);
  // Half of 64 MiB fits.
  close(at(64 << 20), (32 << 20) / 100e9 + (32 << 20) / 80e9);
  assert.deepEqual(limitsFor(traffic({ bytes: 64 << 20 }), warm), ['l3', 'triad', 'read']);
  assert.deepEqual(limitsFor(traffic({ bytes: 1 << 10, products: 1 }), warm), ['fma', 'l1']);
});

test('an optimizer is held to its own loop', () => {
  const update = traffic({ bytes: 28e6, written: 12e6, workingSet: 16e6 });
  for (const [loop, rate] of [
    ['sgd', 90],
    ['adamw', 70],
  ] as const) {
    close(limitSeconds(update, rates, { ...warm, loop }).seconds, 28e6 / (rate * 1e9));
    assert.deepEqual(limitsFor(update, { ...warm, loop }), [loop]);
  }
});

test('kernels in a row: the sum of their limits, bound by what takes most of it', () => {
  const product = traffic({ products: 400e9, flops: 400e9 });
  const stream = traffic({ bytes: 12e9, written: 4e9 });
  const both = limitOfAll([product, stream], rates, cold);
  close(both.seconds, 1.2);
  assert.equal(both.bound, 'compute');
  assert.equal(limitOfAll([stream, stream], rates, cold).bound, 'memory');
});

test('a share is of the median rates around it; above 100% is what beats the best of them', () => {
  const stream = [traffic({ bytes: 12e9, written: 4e9 })];
  const around = [60, 50, 40].map((triad) => ({ ...rates, triad, read: triad }));
  const share = (seconds: number) => compareToLimit(stream, seconds, around, cold);
  close(share(0.48).shareOfLimit, 0.5);
  assert.equal(share(0.48).aboveLimit, false);
  close(share(0.22).shareOfLimit, 0.24 / 0.22);
  assert.equal(share(0.22).aboveLimit, false, 'within the spread of the limit itself');
  assert.equal(share(0.19).aboveLimit, true);
});

test('a kernel that multiplies less than the direct sums is held to what it multiplies', () => {
  const quarter = [traffic({ flops: 400e9, products: 400e9, leastProducts: 100e9 })];
  const beaten = compareToLimit(quarter, 0.5, [rates], warm);
  close(beaten.shareOfLimit, 2);
  assert.equal(beaten.aboveLimit, false);
  assert.equal(compareToLimit(quarter, 0.2, [rates], warm).aboveLimit, true);
});

test('what a convolution can do without: taps in the padding, and three products of four by Winograd', () => {
  const unit = { strideH: 1, strideW: 1, dilationH: 1, dilationW: 1, groups: 1 };
  const share = (values: Parameters<typeof conv2dParams.encode>[0]) =>
    leastShare('conv2d', conv2dParams.encode({ ...unit, ...values }).slice());
  const channels = { c: 32, oc: 64 };
  const padded = { n: 1, h: 4, w: 4, oh: 4, ow: 4, kh: 5, kw: 5, padTop: 2, padLeft: 2 };
  close(share({ ...padded, ...channels }), (14 / 20) ** 2); // 3 + 4 + 4 + 3 taps of 4 x 5
  close(share({ n: 1, h: 8, w: 8, oh: 4, ow: 4, kh: 2, kw: 2, ...channels, strideH: 2, strideW: 2 }), 1);
  const three = { n: 1, h: 8, w: 8, oh: 6, ow: 6, kh: 3, kw: 3 };
  close(share({ ...three, ...channels }), 1 / 4);
  close(share({ ...three, c: 16, oc: 64 }), 1);
  assert.equal(leastShare('sgemm', new Uint8Array()), 1);
});

test('a limit that was not measured gives no share', () => {
  assert.ok(Number.isNaN(limitSeconds(traffic({ bytes: 1 }), {}, cold).seconds));
});

test("the run's limits are the best medians, by threads", () => {
  const log = new LimitLog();
  log.add(2, [{ fma: 100 }, { fma: 300 }, { fma: 200, triad: 50 }]);
  log.add(2, [{ fma: 150 }]);
  log.add(1, [{ fma: 90 }]);
  assert.equal(log.best('fma', 2), 200);
  assert.equal(log.best('fma', 1), 90);
  assert.equal(log.best('triad', 2), 50);
  assert.equal(log.best('read', 2), undefined);
});

test('sizes of caches, as the system tells them or generous ones', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-caches-'));
  try {
    const entries: [string, string, string][] = [
      ['1', 'Data', '48K'],
      ['1', 'Instruction', '64K'],
      ['2', 'Unified', '1024K'],
      ['3', 'Unified', '32M'],
    ];
    entries.forEach(([level, type, size], i) => {
      mkdirSync(join(folder, `index${i}`));
      for (const [name, text] of Object.entries({ level, type, size }))
        writeFileSync(join(folder, `index${i}`, name), `${text}\n`);
    });
    assert.deepEqual(cacheSizes(folder), { l1: 48 << 10, l2: 1 << 20, l3: 32 << 20 });
  } finally {
    rmSync(folder, { recursive: true });
  }
  const unknown = cacheSizes(folder);
  assert.ok(unknown.l1 < unknown.l2 && unknown.l2 < unknown.l3);
});
