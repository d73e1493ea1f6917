// profile(fn): what JavaScript and the device's threads did meanwhile, as a trace and as a table.
import { backendOf, defaultDevice } from '../backend/device.js';
import type { Rates } from '../bench/roofline.js';
import { writeFileAtomic } from '../io/atomic.js';
import { measureRates } from './limits.js';
import { type OpEvent, opEvents } from './ops.js';
import { droppedEvents, type ProfileRecording } from './recording.js';
import { ProfileSession } from './session.js';
import { formatRows, type ProfileRow, rowsOf, summaryOf } from './table.js';
import { type Trace, traceOf, traceText } from './trace.js';

export interface ProfileOptions {
  /** Events that are kept of each thread; those beyond are counted in `dropped`. Default 2^18. */
  readonly events?: number;
  /** Measure the machine's limits afterwards, for each op's share of them: about half a second. Default true. */
  readonly limits?: boolean;
}

/** Where the time went. */
export interface ProfileTable {
  readonly rows: readonly ProfileRow[];
  /** For people, with a summary above. */
  toString(): string;
}

/** What was seen. */
export class Profile<T = unknown> {
  /** What the function gave. */
  readonly value: T;
  readonly milliseconds: number;
  /** Events that there was no room for. */
  readonly dropped: number;
  readonly #recording: ProfileRecording;
  readonly #ops: readonly OpEvent[];

  /** @internal */
  constructor(value: T, recording: ProfileRecording, rates: Rates | null) {
    this.value = value;
    this.milliseconds = recording.milliseconds;
    this.dropped = droppedEvents(recording);
    this.#recording = recording;
    this.#ops = opEvents(recording, rates);
  }

  /** A row for each op. */
  get table(): ProfileTable {
    return this.tableBy('op');
  }

  /** A row for each op, or for each op and shape. */
  tableBy(by: 'op' | 'shape'): ProfileTable {
    const rows = rowsOf(this.#ops, by);
    return { rows, toString: () => [...summaryOf(this.#recording, this.#ops), '', formatRows(rows)].join('\n') };
  }

  /** As the Chrome trace-event format has it: for https://ui.perfetto.dev or chrome://tracing. */
  get trace(): Trace {
    return traceOf(this.#recording, this.#ops);
  }

  /** Writes the trace as JSON. @throws E_IO */
  write(file: string): Promise<void> {
    return writeFileAtomic(file, traceText(this.#recording, this.#ops));
  }
}

/**
 * Runs `fn` and watches, until everything it enqueued is done:
 *
 *   const seen = await profile(async () => { await train.fit(model, options).result; });
 *   console.log(String(seen.table));
 *   await seen.write('trace.json');
 *
 * The trace has a track for JavaScript (calls of ops, forward, backward, optimizer), one for what it waits for, one for the
 * device's queue (an event an op, with shape, flops, bytes, share of limit) and one for each thread of its pool. Watching
 * costs one to two microseconds an op. It ends when `fn` throws.
 * @throws whatever `fn` throws, and the failure of an op it enqueued; E_ARGUMENT within another profile
 */
export async function profile<T>(
  fn: () => T | Promise<T>,
  { events, limits = true }: ProfileOptions = {},
): Promise<Profile<T>> {
  const session = new ProfileSession(events);
  let value: T;
  let recording: ProfileRecording;
  try {
    value = await fn();
    await backendOf(defaultDevice()).sync();
  } finally {
    recording = session.stop();
  }
  return new Profile(value, recording, limits ? await measureRates(recording) : null);
}
