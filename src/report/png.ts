/** Images as PNG (W3C PNG, third edition): 8 bits a channel, no filter, compressed by zlib. */
import { crc32, deflateSync } from 'node:zlib';
import { AnnealError } from '../errors.js';

export interface Image {
  readonly width: number;
  readonly height: number;
  /** Grey, grey and alpha, red green blue, or with alpha. */
  readonly channels: 1 | 2 | 3 | 4;
  /** [height, width, channels]. */
  readonly data: Uint8Array;
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const colorTypes = { 1: 0, 2: 4, 3: 2, 4: 6 } as const;

/** @throws E_SHAPE when there are not height * width * channels bytes, or none */
export function encodePng({ width, height, channels, data }: Image): Buffer {
  const stride = width * channels;
  const whole =
    Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0 && channels in colorTypes;
  if (!whole || data.length !== stride * height) {
    throw new AnnealError(
      'E_SHAPE',
      `png: expected bytes of [height,width,1 to 4], received ${data.length} bytes and [${height},${width},${channels}]`,
    );
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, colorTypes[channels]], 8);
  const rows = Buffer.alloc((stride + 1) * height); // each row begins with its filter: 0 is none
  for (let y = 0; y < height; y += 1) rows.set(data.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
