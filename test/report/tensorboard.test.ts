import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, inflateSync } from 'node:zlib';
import { crc32c, maskedCrc32c } from '../../src/report/crc32c.js';
import { histogramOf } from '../../src/report/histogram.js';
import { encodePng } from '../../src/report/png.js';
import { EventFile, frameRecord } from '../../src/report/tensorboard.js';
import { failure, temporaryFolder } from '../io/host.js';
import { toolRequire, toolsMissing } from '../support/tools.js';

const bytes = (length: number, of: (index: number) => number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => of(i));

test('crc32c: the known answers of RFC 3720, appendix B.4', () => {
  const read = Buffer.from(
    '01c00000000000000000000000000000140000000000040000000014000000182800000000000000020000000000000000',
    'hex',
  ).subarray(0, 48);
  assert.equal(crc32c(bytes(32, () => 0)), 0x8a9136aa);
  assert.equal(crc32c(bytes(32, () => 0xff)), 0x62a8ab43);
  assert.equal(crc32c(bytes(32, (i) => i)), 0x46dd794e);
  assert.equal(crc32c(bytes(32, (i) => 31 - i)), 0x113fdb5c);
  assert.equal(crc32c(read), 0xd9963a56);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

test('crc32c: masked as in TFRecord: rotated by 15 bits, and a constant added', () => {
  for (const text of ['', 'a', 'TFRecord']) {
    const masked = BigInt(maskedCrc32c(Buffer.from(text)));
    const rotated = (masked + (1n << 32n) - 0xa282ead8n) % (1n << 32n);
    assert.equal(((rotated >> 17n) | (rotated << 15n)) % (1n << 32n), BigInt(crc32c(Buffer.from(text))));
  }
});

test('records: the first 12 bytes are those with which every event file of TensorFlow begins', () => {
  // Its first record, of the file's version, takes 24 bytes.
  const record = frameRecord(new Uint8Array(24));
  assert.equal(record.length, 8 + 4 + 24 + 4);
  assert.equal(record.subarray(0, 12).toString('hex'), '1800000000000000a37f4b22');
});

/** The messages of an event file, by a reader that is not ours. */
const schema = `
  syntax = "proto3";
  message Event {
    double wall_time = 1;
    int64 step = 2;
    oneof what { string file_version = 3; Summary summary = 5; SessionLog session_log = 7; }
  }
  message SessionLog {
    enum SessionStatus { STATUS_UNSPECIFIED = 0; START = 1; STOP = 2; CHECKPOINT = 3; }
    SessionStatus status = 1;
  }
  message Summary {
    message Image { int32 height = 1; int32 width = 2; int32 colorspace = 3; bytes encoded_image_string = 4; }
    message Value {
      string tag = 1;
      oneof value { float simple_value = 2; Image image = 4; HistogramProto histo = 5; }
    }
    repeated Value value = 1;
  }
  message HistogramProto {
    double min = 1; double max = 2; double num = 3; double sum = 4; double sum_squares = 5;
    repeated double bucket_limit = 6 [packed = true];
    repeated double bucket = 7 [packed = true];
  }
`;

/** What the test uses of protobufjs. */
interface Protobufjs {
  parse(text: string): { root: { lookupType(name: string): MessageType } };
}
interface MessageType {
  decode(data: Uint8Array): object;
  toObject(
    message: object,
    options: { longs: NumberConstructor; bytes: ArrayConstructor; enums: StringConstructor },
  ): object;
}

/** The records of a file; throws where a checksum is not that of the bytes. */
function records(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    assert.equal(file.readUInt32LE(at + 8), maskedCrc32c(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    assert.equal(file.readUInt32LE(at + 12 + length), maskedCrc32c(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

test('event file: protobufjs reads what was written', {
  skip: toolRequire === null && toolsMissing,
}, async (context) => {
  assert.ok(toolRequire);
  const folder = await temporaryFolder(context);
  const image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0, 0, 128, 255) } as const;
  const histogram = histogramOf([1, 2, 2, 5], 4);
  assert.ok(histogram);
  const events = await EventFile.create(folder, { resumeAtStep: 70, time: 1_500_000_000_123 });
  events.add(
    71,
    [
      { tag: 'loss', scalar: 0.1 },
      { tag: 'lr', scalar: Number.NaN },
    ],
    1_500_000_001_000,
  );
  events.add(
    2 ** 40,
    [
      { tag: 'weights/conv', histogram },
      { tag: 'filter', image },
    ],
    1_500_000_002_500,
  );
  events.add(72, []);
  await events.flush();
  await events.close();
  assert.deepEqual(await readdir(folder), [`events.out.tfevents.1500000000.${hostname()}`]);
  const protobufjs: Protobufjs = toolRequire('protobufjs');
  const event = protobufjs.parse(schema).root.lookupType('Event');
  const read = records(await readFile(events.path)).map((data) =>
    event.toObject(event.decode(data), { longs: Number, bytes: Array, enums: String }),
  );
  assert.deepEqual(read, [
    { wallTime: 1_500_000_000.123, fileVersion: 'brain.Event:2' },
    { wallTime: 1_500_000_000.123, step: 70, sessionLog: { status: 'START' } },
    {
      wallTime: 1_500_000_001,
      step: 71,
      summary: {
        value: [
          { tag: 'loss', simpleValue: Math.fround(0.1) },
          { tag: 'lr', simpleValue: Number.NaN },
        ],
      },
    },
    {
      wallTime: 1_500_000_002.5,
      step: 2 ** 40,
      summary: {
        value: [
          {
            tag: 'weights/conv',
            histo: {
              min: 1,
              max: 5,
              num: 4,
              sum: 10,
              sumSquares: 34,
              bucketLimit: [1, 2, 3, 4, 5],
              bucket: [0, 1, 2, 0, 1],
            },
          },
          {
            tag: 'filter',
            image: { height: 1, width: 2, colorspace: 3, encodedImageString: [...encodePng(image)] },
          },
        ],
      },
    },
  ]);
});

test('event file: two of the same second have names of their own', async (context) => {
  const folder = await temporaryFolder(context);
  for (const step of [1, 2]) {
    await using events = await EventFile.create(folder, { time: 5000 });
    events.add(step, [{ tag: 'loss', scalar: step }]);
  }
  const name = `events.out.tfevents.0000000005.${hostname()}`;
  assert.deepEqual((await readdir(folder)).sort(), [name, `${name}.1`]);
  await assert.rejects(EventFile.create(join(folder, 'none')), failure('E_IO', /none.*could not be written/));
});

test('histogram: bins of equal width; what is not finite is left out', () => {
  assert.deepEqual(histogramOf([-1, 0, 1, Number.NaN, 1, Number.POSITIVE_INFINITY], 2), {
    min: -1,
    max: 1,
    count: 4,
    sum: 1,
    sumSquares: 3,
    counts: [1, 3],
  });
  assert.deepEqual(histogramOf([3, 3])?.counts, [2]);
  assert.equal(histogramOf([Number.NaN]), null);
  const many = histogramOf(Float32Array.from({ length: 1000 }, (_, i) => i));
  assert.deepEqual([many?.counts.length, many?.counts.reduce((sum, n) => sum + n, 0)], [30, 1000]);
});

test('png: every byte of it, for each number of channels', () => {
  for (const [channels, colorType] of [
    [1, 0],
    [2, 4],
    [3, 2],
    [4, 6],
  ] as const) {
    const [width, height] = [3, 2];
    const data = bytes(width * height * channels, (i) => 7 * i + 1);
    const png = encodePng({ width, height, channels, data });
    assert.equal(png.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n');
    const chunks: [string, Buffer][] = [];
    for (let at = 8; at < png.length; ) {
      const length = png.readUInt32BE(at);
      const body = png.subarray(at + 4, at + 8 + length);
      assert.equal(png.readUInt32BE(at + 8 + length), crc32(body));
      chunks.push([body.toString('latin1', 0, 4), body.subarray(4)]);
      at += 12 + length;
    }
    assert.deepEqual(
      chunks.map(([name]) => name),
      ['IHDR', 'IDAT', 'IEND'],
    );
    const [header, content, end] = chunks.map(([, body]) => body);
    assert.deepEqual([...(header ?? [])], [0, 0, 0, 3, 0, 0, 0, 2, 8, colorType, 0, 0, 0]);
    const stride = width * channels;
    const rows = [...data.subarray(0, stride)];
    assert.deepEqual([...inflateSync(content ?? Buffer.alloc(0))], [0, ...rows, 0, ...data.subarray(stride)]);
    assert.equal(end?.length, 0);
  }
  assert.throws(
    () => encodePng({ width: 2, height: 2, channels: 1, data: new Uint8Array(3) }),
    failure('E_SHAPE', /received 3 bytes and \[2,2,1\]/),
  );
});
