import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HostTensor } from '../../src/io/host_tensor.js';
import { decodeSafetensors, encodeSafetensors, readSafetensors, writeSafetensors } from '../../src/io/safetensors.js';
import { f32, failure, i32, joined, temporaryFolder, u8 } from './host.js';

function file(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return joined([length, json, data]);
}

test('safetensors: bytes as the format says', () => {
  const bytes = joined(encodeSafetensors({ b: u8([9]), 'w.0': f32([1, -2], [2, 1]) }, { format: 'pt' }));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assert.equal(length % 8, 0);
  assert.deepEqual(JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString()), {
    __metadata__: { format: 'pt' },
    'w.0': { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] },
    b: { dtype: 'U8', shape: [1], data_offsets: [8, 9] },
  });
  assert.deepEqual([...bytes.subarray(8 + length)], [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 9]);
});

test('safetensors: f16 in two bytes an element, read as f32', () => {
  const half: HostTensor = { data: Float32Array.of(1, 1 / 3, -70000), shape: [3], dtype: 'f16' };
  const bytes = joined(encodeSafetensors({ bytes: u8([9]), half, wide: f32([1]) }));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assert.deepEqual(JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString()), {
    wide: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    half: { dtype: 'F16', shape: [3], data_offsets: [4, 10] },
    bytes: { dtype: 'U8', shape: [1], data_offsets: [10, 11] },
  });
  assert.deepEqual([...bytes.subarray(12 + length, 18 + length)], [0, 0x3c, 0x55, 0x35, 0, 0xfc]);
  const { tensors } = decodeSafetensors(bytes);
  const rounded = Float32Array.of(1, 0.333251953125, Number.NEGATIVE_INFINITY);
  assert.deepEqual(tensors.half, { data: rounded, shape: [3], dtype: 'f16' });
});

test('safetensors: reads a file whose data is not aligned', () => {
  const header =
    '{"a":{"dtype":"I32","shape":[],"data_offsets":[1,5]},"f":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}  ';
  const { tensors, metadata } = decodeSafetensors(file(header, Uint8Array.of(3, 0xfe, 0xff, 0xff, 0xff)));
  assert.deepEqual(tensors, { a: i32([-2], []), f: u8([3]) });
  assert.deepEqual(metadata, {});
});

test('safetensors: round trip, bit for bit', async (context) => {
  const path = join(await temporaryFolder(context), 'm.safetensors');
  const tensors = {
    empty: f32([], [0, 4]),
    scalar: f32([Number.NaN], []),
    special: f32([-0, Number.POSITIVE_INFINITY, 1e-45]),
    labels: i32([-(2 ** 31), 2 ** 31 - 1]),
    __proto__x: u8([0, 255]),
  };
  await writeSafetensors(path, tensors, { note: 'é' });
  const read = await readSafetensors(path);
  assert.deepEqual(read, { tensors, metadata: { note: 'é' } });
});

test('safetensors: round trip of any tensors', () => {
  const tensor: fc.Arbitrary<HostTensor> = fc.oneof(
    fc.float32Array().map((data): HostTensor => ({ data, shape: [data.length], dtype: 'f32' })),
    fc.int32Array().map((data): HostTensor => ({ data, shape: [1, data.length], dtype: 'i32' })),
    fc.uint8Array().map((data): HostTensor => ({ data, shape: [data.length, 1], dtype: 'u8' })),
  );
  const name = fc.string({ unit: 'grapheme' }).filter((key) => key !== '__metadata__');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, tensor)), (entries) => {
      const tensors = Object.fromEntries(entries);
      assert.deepEqual(decodeSafetensors(joined(encodeSafetensors(tensors))).tensors, tensors);
    }),
    { seed: 1 },
  );
});

test('safetensors: neither a prefix nor surplus bytes pass unseen', () => {
  const whole = joined(encodeSafetensors({ a: f32([1, 2, 3]), b: i32([4]) }));
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => decodeSafetensors(whole.subarray(0, length), 'cut'), failure('E_FORMAT', /^cut: /));
  }
  assert.throws(
    () => decodeSafetensors(joined([whole, Uint8Array.of(0)])),
    failure('E_FORMAT', /expected 16 bytes.*received 17/),
  );
});

test('safetensors: refuses what the format forbids', () => {
  const one = (dtype: string, shape: string, offsets: string): string =>
    `{"t":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}}`;
  const eight = new Uint8Array(8);
  const cases: [string, Uint8Array, RegExp][] = [
    [one('F32', '[3]', '[0,8]'), eight, /"t": expected 12 bytes for F32 \[3\], received 8/],
    [one('F32', '[1]', '[4,8]'), eight, /"t" to start at byte 0, received 4 \(leaves a gap/],
    [one('F32', '[2]', '[8,0]'), eight, /data_offsets within the 8 bytes/],
    [one('F32', '[4]', '[0,16]'), eight, /data_offsets within the 8 bytes/],
    [one('F32', '[-2]', '[0,8]'), eight, /shape to be a list of whole numbers/],
    [one('F32', '[9007199254740991,9007199254740991]', '[0,8]'), eight, /received 8/],
    [one('F32', '[2]', '[0]'), eight, /\[begin, end\]/],
    [one('F32', '[2]', '[0,8.5]'), eight, /\[begin, end\]/],
    ['{"t":7}', eight, /an object for "t"/],
    ['{"__metadata__":{"a":1}}', new Uint8Array(), /a string for "a" of __metadata__, received 1/],
    ['{"t":', eight, /JSON in UTF-8/],
    [' {}', eight, /start with "\{"/],
    ['{}', eight, /expected 0 bytes of data.*received 8/],
  ];
  for (const [header, data, message] of cases) {
    assert.throws(() => decodeSafetensors(file(header, data), 'x'), failure('E_FORMAT', message), header);
  }
  const overlap =
    '{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}';
  assert.throws(
    () => decodeSafetensors(file(overlap, eight)),
    failure('E_FORMAT', /"b" to start at byte 5, received 4 \(overlaps/),
  );
  assert.throws(
    () => decodeSafetensors(file(one('BF16', '[4]', '[0,8]'), eight)),
    failure('E_DTYPE', /F32, F16, I32 or U8, received BF16/),
  );
  const huge = new Uint8Array(16).fill(0xff);
  assert.throws(
    () => decodeSafetensors(huge),
    failure('E_FORMAT', /at most 100000000 bytes, received a length of 18446744073709551615/),
  );
});

test('safetensors: refuses to write what does not fit together', () => {
  assert.throws(
    () => encodeSafetensors({ t: f32([1], [2]) }),
    failure('E_SHAPE', /"t": expected 2 elements .* received 1/),
  );
  assert.throws(
    () => encodeSafetensors({ t: { data: new Int32Array(1), shape: [1], dtype: 'f32' } }),
    failure('E_DTYPE', /received dtype f32 with i32 data/),
  );
  assert.throws(() => encodeSafetensors({ __metadata__: f32([1]) }), failure('E_ARGUMENT', /__metadata__/));
});
