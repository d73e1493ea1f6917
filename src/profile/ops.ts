// What the device did, op by op: the events of its queue joined with what JavaScript noted when it enqueued them.
import { opNames } from '../backend/backend.js';
import { costOf } from '../bench/capture.js';
import type { Rates } from '../bench/roofline.js';
import { describe } from './describe.js';
import { limitOf, type OpLimit } from './limits.js';
import type { ProfileRecording } from './recording.js';

/** Every op of one signature: what is the same for all of them. */
export interface OpKind {
  /** `sgemm`, `binary add`, `copy`. */
  readonly label: string;
  /** `[32,784] x [784,128]`; empty where it is not known. */
  readonly shape: string;
  /** By the op's cost formula; null where it is not known. */
  readonly flops: number | null;
  readonly bytes: number | null;
  /** Null where no limits were measured. */
  readonly limit: OpLimit | null;
  /** A copy to or from the host goes through the queue as well, but is no op. */
  readonly isOp: boolean;
}

/** One execution. Times in milliseconds since the profile began. */
export interface OpEvent {
  readonly kind: OpKind;
  readonly start: number;
  readonly ms: number;
  /** The queue's record, and the op's place in it. */
  readonly sequence: number;
  readonly index: number;
  /** From the end of the call that enqueued it until it began; null where that was not seen. */
  readonly queued: number | null;
}

const COPY = 2 ** 32 - 1;
const copy: OpKind = { label: 'copy', shape: '', flops: null, bytes: null, limit: null, isOp: false };

function unknownOp(id: number): OpKind {
  return { label: opNames[id] ?? `op ${id}`, shape: '', flops: null, bytes: null, limit: null, isOp: true };
}

function kindsOf(recording: ProfileRecording, rates: Rates | null): OpKind[] {
  return recording.signatures.map((signature) => ({
    ...describe(signature.op, signature.params),
    ...costOf(signature),
    limit: rates === null ? null : limitOf(signature, rates, recording),
    isOp: true,
  }));
}

/** Every event of the queue's thread, in order. */
export function opEvents(recording: ProfileRecording, rates: Rates | null): OpEvent[] {
  const { events, calls, deviceStart } = recording;
  const { start, end, sequence, index, what } = events.queue;
  const kinds = kindsOf(recording, rates);
  const result: OpEvent[] = [];
  let call = 0;
  // Both are in the order of records and of ops within them.
  for (let i = 0; i < start.length; i++) {
    const [record = 0, place = 0] = [sequence[i], index[i]];
    const before = (c: number): boolean =>
      (calls.sequence[c] ?? Number.POSITIVE_INFINITY) < record ||
      (calls.sequence[c] === record && (calls.index[c] ?? 0) < place);
    while (before(call)) call++;
    const noted = calls.sequence[call] === record && calls.index[call] === place;
    const id = what[i] ?? COPY;
    const kind = noted ? kinds[calls.signature[call] ?? -1] : undefined;
    const startMs = (start[i] ?? 0) / 1e6 + deviceStart;
    result.push({
      kind: id === COPY ? copy : (kind ?? unknownOp(id)),
      start: startMs,
      ms: ((end[i] ?? 0) - (start[i] ?? 0)) / 1e6,
      sequence: record,
      index: place,
      queued: noted ? startMs - (calls.end[call] ?? Number.NaN) : null,
    });
  }
  return result;
}
