// Everything a profile saw, as plain data: it travels between processes by structured clone.
import type { DeviceEvents } from '../backend/backend.js';
import type { SizedCall } from '../bench/capture.js';

/** An op with its parameters and the sizes of its operands; calls that agree in these share one. */
export type Signature = SizedCall;

/** Ops as JavaScript enqueued them, in order. Times in milliseconds since the profile began. */
export interface CallColumns {
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Of the queue's record. */
  readonly sequence: Float64Array;
  /** Of the op within its record. */
  readonly index: Uint32Array;
  /** The place in `signatures`. */
  readonly signature: Uint32Array;
}

/** What JavaScript did or waited for. Times as above. */
export interface SpanColumns {
  readonly name: readonly string[];
  readonly start: Float64Array;
  readonly end: Float64Array;
}

export interface ProfileRecording {
  /** Of the library that recorded it. */
  readonly version: string;
  readonly device: string;
  readonly threads: number;
  readonly isa: string;
  readonly pid: number;
  readonly milliseconds: number;
  /** What the device's threads did; nanoseconds since `deviceStart`. */
  readonly events: DeviceEvents;
  /** When the device's clock stood at 0: milliseconds since the profile began. */
  readonly deviceStart: number;
  readonly signatures: readonly Signature[];
  readonly calls: CallColumns;
  readonly spans: SpanColumns;
  readonly awaited: SpanColumns;
  /** What JavaScript's buffers had no room for. */
  readonly dropped: { readonly calls: number; readonly spans: number };
}

/** Events that were not kept, on any thread. */
export function droppedEvents({ events, dropped }: ProfileRecording): number {
  const device = events.workers.reduce((sum, worker) => sum + worker.dropped, events.queue.dropped);
  return device + dropped.calls + dropped.spans;
}
