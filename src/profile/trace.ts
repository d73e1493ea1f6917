// The Chrome trace-event format, which chrome://tracing and ui.perfetto.dev open:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
import type { OpEvent } from './ops.js';
import { droppedEvents, type ProfileRecording, type SpanColumns } from './recording.js';

/** Something that took time ('X') or the name of a track ('M'). */
export interface TraceEvent {
  readonly ph: 'X' | 'M';
  readonly name: string;
  readonly cat?: 'op' | 'copy' | 'call' | 'span' | 'wait' | 'share';
  /** Microseconds since the profile began. */
  readonly ts: number;
  readonly dur: number;
  readonly pid: number;
  readonly tid: number;
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface Trace {
  readonly displayTimeUnit: 'ms';
  readonly otherData: Readonly<Record<string, string | number>>;
  readonly traceEvents: readonly TraceEvent[];
}

/** Tracks; pool threads follow from POOL on, and a second row of waiting from FIRST_LANE on. */
const JAVASCRIPT = 1;
const QUEUE = 1000;
const POOL = 1001;
const FIRST_LANE = 2;

/** Microseconds to the nanosecond. */
const micro = (ms: number): number => Math.round(ms * 1e6) / 1e3;
const rounded = (value: number): number => Number(value.toPrecision(4));

function* spansOf(spans: SpanColumns): Generator<{ name: string; start: number; end: number }> {
  for (const [i, name] of spans.name.entries()) yield { name, start: spans.start[i] ?? 0, end: spans.end[i] ?? 0 };
}

/** Waits that overlap go to different tracks, since on one they could only nest. */
function lanesOf(spans: SpanColumns): { name: string; start: number; end: number; lane: number }[] {
  const ends: number[] = [];
  return [...spansOf(spans)]
    .sort((a, b) => a.start - b.start)
    .map((span) => {
      const free = ends.findIndex((end) => end <= span.start);
      const lane = free < 0 ? ends.length : free;
      ends[lane] = span.end;
      return { ...span, lane };
    });
}

function opArguments({ kind, ms, sequence, index, queued }: OpEvent): Record<string, string | number> {
  const { shape, flops, bytes, limit } = kind;
  return {
    ...(shape === '' ? {} : { shape }),
    ...(flops === null ? {} : { flops, 'GFLOP/s': rounded(flops / ms / 1e6) }),
    ...(bytes === null ? {} : { bytes, 'GB/s': rounded(bytes / ms / 1e6) }),
    ...(limit === null ? {} : { 'share of limit': rounded(limit.ms / ms), bound: limit.bound }),
    ...(queued === null ? {} : { 'queued us': micro(queued) }),
    record: sequence,
    ...(index === 0 ? {} : { index }),
  };
}

/** Every event, metadata first. */
export function* traceEvents(recording: ProfileRecording, ops: readonly OpEvent[]): Generator<TraceEvent> {
  const { pid, device, calls, spans, awaited, events, deviceStart } = recording;
  const waits = lanesOf(awaited);
  const lanes = waits.reduce((most, { lane }) => Math.max(most, lane + 1), 0);
  const named = (name: string, tid: number, args: Record<string, string | number>): TraceEvent => ({
    ph: 'M',
    name,
    ts: 0,
    dur: 0,
    pid,
    tid,
    args,
  });
  yield named('process_name', JAVASCRIPT, { name: `anneal ${recording.version}` });
  const tracks: [number, string][] = [
    [JAVASCRIPT, 'JavaScript'],
    ...Array.from({ length: lanes }, (_, lane): [number, string] => [FIRST_LANE + lane, 'JavaScript waits']),
    [QUEUE, `${device} queue`],
    ...events.workers.map((_, i): [number, string] => [
      POOL + i,
      `${device} pool ${i}${i === 0 ? ' (the queue’s thread)' : ''}`,
    ]),
  ];
  for (const [tid, name] of tracks) {
    yield named('thread_name', tid, { name });
    yield named('thread_sort_index', tid, { sort_index: tid });
  }
  const event = (
    cat: NonNullable<TraceEvent['cat']>,
    name: string,
    tid: number,
    start: number,
    end: number,
    args?: Readonly<Record<string, string | number>>,
  ): TraceEvent => {
    const ts = micro(start);
    // From the rounded ends, so that events which do not overlap do not here either.
    const dur = Math.max(0, Math.round((micro(end) - ts) * 1e3) / 1e3);
    return { ph: 'X', name, cat, ts, dur, pid, tid, ...(args === undefined ? {} : { args }) };
  };
  for (const { name, start, end } of spansOf(spans)) yield event('span', name, JAVASCRIPT, start, end);
  for (const { name, start, end, lane } of waits) yield event('wait', name, FIRST_LANE + lane, start, end);
  const labels = labelsByRecord(ops);
  for (let i = 0; i < calls.start.length; i++) {
    const record = calls.sequence[i] ?? 0;
    if (calls.index[i] !== 0) continue;
    const [start = 0, end = 0] = [calls.start[i], calls.end[i]];
    yield event(
      'call',
      labels.get(record) ?? recording.signatures[calls.signature[i] ?? 0]?.op ?? '',
      JAVASCRIPT,
      start,
      end,
      { record },
    );
  }
  for (const op of ops)
    yield event(op.kind.isOp ? 'op' : 'copy', op.kind.label, QUEUE, op.start, op.start + op.ms, opArguments(op));
  yield* shares(recording, ops, event, deviceStart);
}

type MakeEvent = (
  cat: 'share',
  name: string,
  tid: number,
  start: number,
  end: number,
  args: Readonly<Record<string, number>>,
) => TraceEvent;

/** Each pool thread's part of each op, by the op's name. */
function* shares(
  { events }: ProfileRecording,
  ops: readonly OpEvent[],
  event: MakeEvent,
  deviceStart: number,
): Generator<TraceEvent> {
  for (const [worker, { start, end, sequence, index, what }] of events.workers.entries()) {
    let op = 0;
    for (let i = 0; i < start.length; i++) {
      const [record = 0, place = 0] = [sequence[i], index[i]];
      const before = (other: OpEvent | undefined): boolean =>
        other !== undefined && (other.sequence < record || (other.sequence === record && other.index < place));
      while (before(ops[op])) op++;
      const found = ops[op];
      const name = found?.sequence === record && found.index === place ? found.kind.label : `record ${record}`;
      const [from, to] = [(start[i] ?? 0) / 1e6 + deviceStart, (end[i] ?? 0) / 1e6 + deviceStart];
      yield event('share', name, POOL + worker, from, to, { tasks: what[i] ?? 0, record, index: place });
    }
  }
}

/** What a call enqueued: an op by its name, several as one. */
function labelsByRecord(ops: readonly OpEvent[]): Map<number, string> {
  const counts = new Map<number, number>();
  const labels = new Map<number, string>();
  for (const { sequence, kind } of ops) {
    const count = (counts.get(sequence) ?? 0) + 1;
    counts.set(sequence, count);
    labels.set(sequence, count === 1 ? kind.label : `replay of ${count} ops`);
  }
  return labels;
}

function otherData(recording: ProfileRecording): Trace['otherData'] {
  const { version, device, threads, isa } = recording;
  return { anneal: version, device, threads, isa, 'dropped events': droppedEvents(recording) };
}

export function traceOf(recording: ProfileRecording, ops: readonly OpEvent[]): Trace {
  return { displayTimeUnit: 'ms', otherData: otherData(recording), traceEvents: [...traceEvents(recording, ops)] };
}

const LINES_A_CHUNK = 2000;

/** The trace as JSON, in pieces, since the whole of it may be larger than a string can be. */
export function* traceText(recording: ProfileRecording, ops: readonly OpEvent[]): Generator<string> {
  yield `{"displayTimeUnit":"ms","otherData":${JSON.stringify(otherData(recording))},"traceEvents":[`;
  let lines: string[] = [];
  let separator = '\n';
  for (const event of traceEvents(recording, ops)) {
    lines.push(separator + JSON.stringify(event));
    separator = ',\n';
    if (lines.length < LINES_A_CHUNK) continue;
    yield lines.join('');
    lines = [];
  }
  yield `${lines.join('')}\n]}\n`;
}
