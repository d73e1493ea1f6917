import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decodeIdx, type IdxArray, type IdxDType, readIdx } from '../../src/io/idx.js';
import { failure, temporaryFolder } from './host.js';

function idx(type: number, shape: readonly number[], payload: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((dimension, axis) => {
    header.writeUInt32BE(dimension, 4 + 4 * axis);
  });
  return new Uint8Array(Buffer.concat([header, payload]));
}

const types: [number, IdxDType, number[], IdxArray][] = [
  [0x08, 'u8', [0, 255], Uint8Array.of(0, 255)],
  [0x09, 'i8', [0x80, 0x7f], Int8Array.of(-128, 127)],
  [0x0b, 'i16', [0x80, 0, 0x01, 0x02], Int16Array.of(-32768, 258)],
  [0x0c, 'i32', [0xff, 0xff, 0xff, 0xfe, 0, 1, 0, 0], Int32Array.of(-2, 65536)],
  [0x0d, 'f32', [0x3f, 0xc0, 0, 0, 0xff, 0x80, 0, 0], Float32Array.of(1.5, Number.NEGATIVE_INFINITY)],
  [0x0e, 'f64', [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0], Float64Array.of(1.5, -2)],
];

for (const [code, dtype, payload, expected] of types) {
  test(`idx: ${dtype} big-endian`, () => {
    const bytes = idx(code, [2, 1], Uint8Array.from(payload));
    const shifted = new Uint8Array(bytes.length + 1).subarray(1); // no alignment to lean on
    shifted.set(bytes);
    const original = shifted.slice();
    assert.deepEqual(decodeIdx(shifted), { data: expected, shape: [2, 1], dtype });
    assert.deepEqual(shifted, original, 'the input is not swapped in place');
  });
}

test('idx: a dimension of 0 holds nothing', () => {
  assert.deepEqual(decodeIdx(idx(8, [0, 28], new Uint8Array())), {
    data: new Uint8Array(),
    shape: [0, 28],
    dtype: 'u8',
  });
});

test('idx: every prefix of a file is refused', () => {
  const whole = idx(0x0b, [2, 3], new Uint8Array(12));
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => decodeIdx(whole.subarray(0, length), 'cut.idx'), failure('E_FORMAT', /^cut\.idx: expected/));
  }
});

test('idx: damaged headers are refused by name', () => {
  const good = idx(8, [2], Uint8Array.of(1, 2));
  const broken = (at: number, value: number): Uint8Array => good.with(at, value);
  assert.throws(
    () => decodeIdx(broken(0, 1), 'a'),
    failure('E_FORMAT', /^a: expected the IDX magic 0000, received 0100$/),
  );
  assert.throws(() => decodeIdx(broken(2, 0x0a)), failure('E_FORMAT', /type of 08, 09, 0b, 0c, 0d or 0e, received 0a/));
  assert.throws(() => decodeIdx(broken(3, 0)), failure('E_FORMAT', /at least 1 dimension/));
  assert.throws(
    () => decodeIdx(broken(7, 3)),
    failure('E_FORMAT', /expected 3 bytes of u8 data .* received 2 .*cut short/),
  );
  assert.throws(() => decodeIdx(broken(7, 1)), failure('E_FORMAT', /expected 1 bytes .* received 2 \(bytes follow/));
  const huge = idx(0x0e, [0xffffffff, 0xffffffff, 0xffffffff], new Uint8Array());
  assert.throws(() => decodeIdx(huge), failure('E_FORMAT', /received 0 /));
});

test('idx: files, plain and gzip', async (context) => {
  const folder = await temporaryFolder(context);
  const bytes = idx(8, [3], Uint8Array.of(7, 8, 9));
  const plain = join(folder, 'labels');
  const zipped = join(folder, 'labels.gz');
  await writeFile(plain, bytes);
  await writeFile(zipped, gzipSync(bytes));
  const expected = { data: Uint8Array.of(7, 8, 9), shape: [3], dtype: 'u8' };
  assert.deepEqual(await readIdx(plain), expected);
  assert.deepEqual(await readIdx(zipped), expected);
  assert.deepEqual(await readIdx(new Uint8Array(gzipSync(bytes))), expected);
  await writeFile(zipped, gzipSync(bytes).subarray(0, 15));
  await assert.rejects(readIdx(zipped), failure('E_FORMAT', /labels\.gz: expected a whole gzip stream/));
  await assert.rejects(readIdx(join(folder, 'none')), failure('E_IO', /none: expected a readable file .*ENOENT/));
});
