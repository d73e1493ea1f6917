/**
 * Event files that TensorBoard reads: TFRecord frames around Event messages (tensorflow/core/util/event.proto,
 * tensorflow/core/framework/summary.proto). Field numbers below are those of the .proto files.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { AnnealError } from '../errors.js';
import { AppendFile, RecordLog } from './append_file.js';
import { maskedCrc32c } from './crc32c.js';
import type { Histogram } from './histogram.js';
import { encodePng, type Image } from './png.js';

/** A value of Summary, and what it is of. */
export type SummaryValue =
  | { readonly tag: string; readonly scalar: number }
  | { readonly tag: string; readonly histogram: Histogram }
  | { readonly tag: string; readonly image: Image };

export interface EventFileOptions {
  /** The steps that the run has done: what earlier files of the folder tell of later ones is no longer shown. Default 0. */
  readonly resumeAtStep?: number;
  /** Milliseconds since 1970. Default: now. */
  readonly time?: number;
}

export class EventFile extends RecordLog {
  /** Begins a file of its own in the folder, events.out.tfevents.<seconds>.<host>. @throws AnnealError E_IO. */
  static async create(
    folder: string,
    { resumeAtStep = 0, time = Date.now() }: EventFileOptions = {},
  ): Promise<EventFile> {
    const name = `events.out.tfevents.${String(Math.floor(time / 1000)).padStart(10, '0')}.${hostname()}`;
    const events = new EventFile(await createAnew(join(folder, name)));
    events.write(time, 0, (event) => event.tag(3, WireType.LengthDelimited).string('brain.Event:2'));
    events.write(time, resumeAtStep, (event) => {
      const started = 1; // SessionLog.SessionStatus.START, whose step makes TensorBoard drop what an earlier session told
      event.tag(7, WireType.LengthDelimited).fork();
      event.tag(1, WireType.Varint).int32(started);
      event.join();
    });
    return events;
  }

  /** Takes values of a step, and returns at once. @throws E_SHAPE when an image has not the bytes of its shape */
  add(step: number, values: readonly SummaryValue[], time = Date.now()): void {
    if (values.length === 0) return;
    this.write(time, step, (event) => {
      event.tag(5, WireType.LengthDelimited).fork();
      for (const value of values) {
        event.tag(1, WireType.LengthDelimited).fork();
        event.tag(1, WireType.LengthDelimited).string(value.tag);
        if ('scalar' in value) event.tag(2, WireType.Bit32).float(value.scalar);
        else if ('histogram' in value) writeHistogram(event.tag(5, WireType.LengthDelimited), value.histogram);
        else writeImage(event.tag(4, WireType.LengthDelimited), value.image);
        event.join();
      }
      event.join();
    });
  }

  private write(time: number, step: number, body: (event: BinaryWriter) => void): void {
    const event = new BinaryWriter();
    event.tag(1, WireType.Bit64).double(time / 1000);
    if (step !== 0) event.tag(2, WireType.Varint).int64(step);
    body(event);
    this.file.append(frameRecord(event.finish()));
  }
}

/** A TFRecord: length u64, masked CRC-32C of the length, the data, masked CRC-32C of the data; little endian. */
export function frameRecord(data: Uint8Array): Buffer {
  const record = Buffer.alloc(8 + 4 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return record;
}

/** Bins are given by their right ends; the first, empty one ends where the values begin. */
function writeHistogram(writer: BinaryWriter, { min, max, count, sum, sumSquares, counts }: Histogram): void {
  writer.fork();
  [min, max, count, sum, sumSquares].forEach((value, index) => {
    writer.tag(index + 1, WireType.Bit64).double(value);
  });
  const width = (max - min) / counts.length;
  const ends = counts.map((_, index) => (index + 1 === counts.length ? max : min + (index + 1) * width));
  const packed = (field: number, values: readonly number[]): void => {
    writer.tag(field, WireType.LengthDelimited).fork();
    for (const value of values) writer.double(value);
    writer.join();
  };
  packed(6, [min, ...ends]);
  packed(7, [0, ...counts]);
  writer.join();
}

function writeImage(writer: BinaryWriter, image: Image): void {
  writer.fork();
  writer.tag(1, WireType.Varint).int32(image.height);
  writer.tag(2, WireType.Varint).int32(image.width);
  writer.tag(3, WireType.Varint).int32(image.channels);
  writer.tag(4, WireType.LengthDelimited).bytes(encodePng(image));
  writer.join();
}

/** A second run that begins in the same second takes a name with a number behind it. */
async function createAnew(path: string): Promise<AppendFile> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await AppendFile.create(attempt === 0 ? path : `${path}.${attempt}`);
    } catch (error) {
      const { cause } = error instanceof AnnealError ? error : { cause: undefined };
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw error;
    }
  }
}
