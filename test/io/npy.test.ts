import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HostTensor } from '../../src/io/host_tensor.js';
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz, readNpy, readNpz, writeNpy, writeNpz } from '../../src/io/npy.js';
import { f32, failure, i32, joined, temporaryFolder, u8 } from './host.js';

// Made by NumPy: test/fixtures/make_npy_fixtures.py.
const fixture = (name: string): string => join(import.meta.dirname, '..', 'fixtures', 'npy', name);

const grid = f32(
  Array.from({ length: 24 }, (_, index) => index - 5.5),
  [2, 3, 4],
);

test("npy: NumPy's files", async () => {
  assert.deepEqual(await readNpy(fixture('f32.npy')), grid);
  assert.deepEqual(await readNpy(fixture('f32_big_endian.npy')), grid);
  assert.deepEqual(await readNpy(fixture('f32_fortran.npy')), grid);
  assert.deepEqual(await readNpy(fixture('i32_scalar.npy')), i32([-7], []));
  assert.deepEqual(await readNpy(fixture('u8_vector.npy')), u8([0, 127, 255]));
  assert.deepEqual(await readNpy(fixture('bool.npy')), u8([1, 0]));
  assert.deepEqual(await readNpy(fixture('empty.npy')), f32([], [0, 3]));
});

test('npy: float16 of either byte order and any order of elements, read as f32', () => {
  const half: HostTensor = { data: Float32Array.of(1, -2, 0.5, 65504), shape: [2, 2], dtype: 'f16' };
  const bytes = joined(encodeNpy(half));
  assert.ok(Buffer.from(bytes).toString('latin1').includes("'descr': '<f2'"));
  assert.deepEqual([...bytes.subarray(-8)], [0, 0x3c, 0, 0xc0, 0, 0x38, 0xff, 0x7b]);
  assert.deepEqual(decodeNpy(bytes), half);
  const changed = (from: string, to: string): Uint8Array =>
    new Uint8Array(Buffer.from(Buffer.from(bytes).toString('latin1').replace(from, to), 'latin1'));
  const columns = decodeNpy(changed('False, ', 'True,  '));
  assert.deepEqual(columns, { ...half, data: Float32Array.of(1, 0.5, -2, 65504) });
  const swapped = changed('<f2', '>f2');
  swapped.set([0x3c, 0, 0xc0, 0, 0x38, 0, 0x7b, 0xff], swapped.length - 8);
  assert.deepEqual(decodeNpy(swapped), half);
});

test('npy: 8-byte types only when asked', async () => {
  await assert.rejects(
    readNpy(fixture('f64.npy')),
    failure('E_DTYPE', /f64\.npy: expected float32.*received <f8.*convert/),
  );
  assert.deepEqual(await readNpy(fixture('f64.npy'), { convert: true }), f32([0.1, -2.5, Number.POSITIVE_INFINITY]));
  assert.deepEqual(await readNpy(fixture('i64.npy'), { convert: true }), i32([1, -2, 3]));
  await assert.rejects(
    readNpy(fixture('i64_large.npy'), { convert: true }),
    failure('E_RANGE', /within i32, received 2147483648/),
  );
  await assert.rejects(readNpy(fixture('complex.npy'), { convert: true }), failure('E_DTYPE', /received <c8$/));
});

test("npy: writes NumPy's own bytes", async () => {
  assert.deepEqual(joined(encodeNpy(grid)), new Uint8Array(await readFile(fixture('f32.npy'))));
  assert.deepEqual(joined(encodeNpy(u8([0, 127, 255]))), new Uint8Array(await readFile(fixture('u8_vector.npy'))));
  assert.deepEqual(joined(encodeNpy(i32([-7], []))), new Uint8Array(await readFile(fixture('i32_scalar.npy'))));
});

test('npy: damaged files', async () => {
  const whole = new Uint8Array(await readFile(fixture('f32.npy')));
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => decodeNpy(whole.subarray(0, length), {}, 'cut'), failure('E_FORMAT', /^cut: expected/));
  }
  assert.throws(
    () => decodeNpy(joined([whole, Uint8Array.of(0)])),
    failure('E_FORMAT', /expected 96 bytes .* received 97/),
  );
  assert.throws(() => decodeNpy(whole.with(6, 9)), failure('E_FORMAT', /version 1, 2 or 3, received 9/));
  assert.throws(() => decodeNpy(whole.with(11, 0x78)), failure('E_FORMAT', /expected a header with descr/));
});

for (const name of ['stored.npz', 'deflated.npz']) {
  test(`npz: NumPy's ${name}`, async () => {
    assert.deepEqual(await readNpz(fixture(name)), { w: grid, b: i32([1, 2]) });
  });

  test(`npz: damage to ${name}`, async () => {
    const whole = new Uint8Array(await readFile(fixture(name)));
    for (let length = 0; length < whole.length; length += 1) {
      assert.throws(() => decodeNpz(whole.subarray(0, length), {}, 'cut'), failure('E_FORMAT', /^cut: /));
    }
    // A flipped bit in any entry's data is caught, by its checksum if by nothing before.
    for (let at = 60; at < 200; at += 7) {
      assert.throws(
        () => decodeNpz(whole.with(at, (whole[at] ?? 0) ^ 0x10)),
        failure('E_FORMAT', /entry "w\.npy"/),
        `byte ${at}`,
      );
    }
  });
}

test('npy, npz: round trip', async (context) => {
  const folder = await temporaryFolder(context);
  await writeNpy(join(folder, 'a.npy'), grid);
  assert.deepEqual(await readNpy(join(folder, 'a.npy')), grid);
  const tensors = { 'layer/w': grid, labels: i32([3, -3]), pixels: u8([1, 2], [2, 1]), none: f32([]) };
  await writeNpz(join(folder, 'a.npz'), tensors);
  assert.deepEqual(await readNpz(join(folder, 'a.npz')), tensors);
  assert.deepEqual(decodeNpz(joined(encodeNpz({}))), {});
});
