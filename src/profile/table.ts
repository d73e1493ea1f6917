// Where the time went, a row for each op.
import { integer, percent, significant } from '../report/format.js';
import { tableHead, tableRow } from '../report/text_table.js';
import type { OpEvent } from './ops.js';
import { droppedEvents, type ProfileRecording } from './recording.js';

export interface ProfileRow {
  /** `sgemm`, `binary add`; copies between device and host are `copy`. */
  readonly op: string;
  /** Empty in a table by op. */
  readonly shape: string;
  readonly calls: number;
  readonly ms: number;
  readonly usMean: number;
  /** Of the time that the queue worked. */
  readonly share: number;
  /** By the cost formulas, over all calls whose cost is known. */
  readonly gflops: number | null;
  readonly gbps: number | null;
  /** The time that the machine's limits allow over the time it took; null where no limit is known. */
  readonly shareOfLimit: number | null;
}

/** Sums over some events. */
class Sum {
  calls = 0;
  ms = 0;
  readonly #known = { ms: 0, flops: 0, bytes: 0 };
  readonly #limited = { ms: 0, limit: 0 };

  constructor(
    readonly op: string,
    readonly shape: string,
  ) {}

  add({ kind, ms }: OpEvent): void {
    this.calls++;
    this.ms += ms;
    if (kind.flops !== null && kind.bytes !== null) {
      this.#known.ms += ms;
      this.#known.flops += kind.flops;
      this.#known.bytes += kind.bytes;
    }
    if (kind.limit !== null) {
      this.#limited.ms += ms;
      this.#limited.limit += kind.limit.ms;
    }
  }

  row(totalMs: number): ProfileRow {
    const { op, shape, calls, ms } = this;
    const [known, limited] = [this.#known, this.#limited];
    return {
      op,
      shape,
      calls,
      ms,
      usMean: (1e3 * ms) / calls,
      share: ms / totalMs,
      gflops: known.flops > 0 ? known.flops / known.ms / 1e6 : null,
      gbps: known.bytes > 0 ? known.bytes / known.ms / 1e6 : null,
      shareOfLimit: limited.limit > 0 ? limited.limit / limited.ms : null,
    };
  }
}

/** A row for each op, or for each op and shape; what took most time first. */
export function rowsOf(events: readonly OpEvent[], by: 'op' | 'shape' = 'op'): ProfileRow[] {
  const sums = new Map<string, Sum>();
  let total = 0;
  for (const event of events) {
    const { label, shape } = event.kind;
    const key = by === 'op' ? label : `${label} ${shape}`;
    let sum = sums.get(key);
    if (sum === undefined) {
      sum = new Sum(label, by === 'op' ? '' : shape);
      sums.set(key, sum);
    }
    sum.add(event);
    total += event.ms;
  }
  return [...sums.values()].map((sum) => sum.row(total)).sort((a, b) => b.ms - a.ms);
}

const none = '–';
const rate = (value: number | null): string => (value === null ? none : value.toFixed(value < 10 ? 1 : 0));

interface Column {
  readonly name: string;
  readonly cell: (row: ProfileRow) => string;
}

const columns: readonly Column[] = [
  { name: 'calls', cell: ({ calls }) => integer(calls) },
  { name: 'total ms', cell: ({ ms }) => significant(ms) },
  { name: 'mean us', cell: ({ usMean }) => significant(usMean) },
  { name: 'share', cell: ({ share }) => percent(share) },
  { name: 'GFLOP/s', cell: ({ gflops }) => rate(gflops) },
  { name: 'GB/s', cell: ({ gbps }) => rate(gbps) },
  { name: 'of limit', cell: ({ shareOfLimit }) => (shareOfLimit === null ? none : percent(shareOfLimit)) },
];

/** The rows as text. */
export function formatRows(rows: readonly ProfileRow[]): string {
  const names = rows.map(({ op, shape }) => (shape === '' ? op : `${op} ${shape}`));
  const width = Math.max(2, ...names.map((name) => name.length));
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ name }, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const lines = cells.map((row, i) => tableRow([(names[i] ?? '').padEnd(width), ...row], [width, ...widths]));
  return [tableHead(['op'.padEnd(width), ...columns.map(({ name }) => name)], [width, ...widths]), ...lines].join('\n');
}

/** What all of it took, in a few lines. */
export function summaryOf(recording: ProfileRecording, events: readonly OpEvent[]): string[] {
  const { milliseconds, events: device, threads, isa, device: name } = recording;
  const busy = events.reduce((sum, { ms }) => sum + ms, 0);
  const ops = events.filter(({ kind }) => kind.isOp).length;
  const workers = device.workers.map(({ start, end }) => {
    let nanoseconds = 0;
    for (let i = 0; i < start.length; i++) nanoseconds += (end[i] ?? 0) - (start[i] ?? 0);
    return nanoseconds / 1e6;
  });
  const lines = [
    `${name}: ${isa} kernels, ${threads} threads; ${significant(milliseconds)} ms, ${integer(ops)} ops`,
    `the queue worked ${percent(busy / milliseconds)} of that time, the pool's threads ${workers.map((ms) => percent(ms / milliseconds)).join(', ')}`,
  ];
  const dropped = droppedEvents(recording);
  if (dropped > 0)
    lines.push(`${integer(dropped)} events were dropped, as there was no room for more: raise the number of events`);
  return lines;
}
