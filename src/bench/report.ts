// The benchmark's result as JSON: what a run writes, what `--compare` and the HTML page read.
import { readFile } from 'node:fs/promises';
import type { Precision } from '../backend/backend.js';
import { AnnealError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import type { EventLoopResult } from './event_loop.js';
import type { FmaPeak } from './limits.js';
import type { BoundKind } from './roofline.js';

export interface PeerFigure {
  readonly msMedian: number;
  readonly msMin: number;
  readonly msMax: number;
  readonly samples: number;
  /** The peer's time over ours: above 1 we are faster. */
  readonly ratio: number;
  /** How the peer did it where there is a choice, e.g. its faster memory layout. */
  readonly note?: string;
}

/** One row. A work has several: its kernels alone and the call, warm and cold, on all threads and on one. */
export interface BenchResult {
  readonly work: string;
  readonly group: string;
  readonly label: string;
  readonly device: string;
  readonly threads: number;
  /**
   * `kernel`: on the device's clock around the kernels, added up. `call`: as a TypeScript user makes it. `captured`: the same,
   * captured.
   */
  readonly figure: 'kernel' | 'call' | 'captured';
  /** `cold`: operands evicted from the caches before each sample. */
  readonly cache: 'warm' | 'cold';
  readonly msMedian: number;
  readonly msMin: number;
  readonly msMax: number;
  /** Half of the samples lie between these. */
  readonly msQ1: number;
  readonly msQ3: number;
  readonly samples: number;
  readonly gflops?: number;
  readonly gbps?: number;
  /** The time at the machine's limit over the median time. */
  readonly shareOfLimit: number;
  readonly bound: BoundKind;
  readonly peers: Readonly<Record<string, PeerFigure>>;
}

/** GFLOP/s and GB/s, 10^9; the best median of the run. */
export interface BenchLimits {
  readonly fmaGflops1: number;
  readonly fmaGflopsAll: number;
  readonly triadGBps: number;
  readonly readGBps: number;
  readonly l1GBps: number;
  readonly l2GBps: number;
  readonly l3GBps: number;
  /** Where they come from, in words, if not from loops that were timed. */
  readonly source?: string;
  readonly sgdLoopMs: number;
  readonly adamwLoopMs: number;
  /** By instruction set. */
  readonly fma: Readonly<Record<string, FmaPeak>>;
}

export interface BenchMachine {
  readonly cpu: string;
  readonly cores: number;
  readonly threads: number;
  readonly isa: string;
  readonly memoryGB: number;
  readonly os: string;
  readonly node: string;
  readonly anneal: string;
  readonly date: string;
  readonly seed: number;
  readonly seconds: number;
  /** The CPU played the GPU: no time of this run means anything. */
  readonly emulated?: boolean;
  /** What products computed in, if not in f32. */
  readonly precision?: Precision;
  /** Versions of the peers that ran, or why one did not. */
  readonly peers: Readonly<Record<string, string>>;
}

export interface BenchReport {
  readonly machine: BenchMachine;
  readonly limits: BenchLimits;
  readonly results: readonly BenchResult[];
  /** How free the event loop is while a net trains; absent when it was not asked for. */
  readonly eventLoop?: readonly EventLoopResult[];
  /** What was wrong: results that differ from the reference, shares above the limit. Absent when nothing was. */
  readonly failures?: readonly string[];
}

/** Tells rows apart within a report, and finds one again in another. */
export function keyOf({ work, device, threads, figure, cache }: BenchResult): string {
  return `${work} ${device} ${threads} ${figure} ${cache}`;
}

/** Peers that have a figure in some row. */
export function peersIn(results: readonly BenchResult[]): string[] {
  return [...new Set(results.flatMap(({ peers }) => Object.keys(peers)))];
}

const digits = 6;

/** Numbers with as many digits as they have meaning. */
export function stringifyReport(report: BenchReport): string {
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(digits)) : value;
  return `${JSON.stringify(report, rounded, 1)}\n`;
}

/** @throws E_IO */
export function writeReport(path: string, report: BenchReport): Promise<void> {
  return writeFileAtomic(path, [stringifyReport(report)]);
}

type Shape = Readonly<Record<string, 'string' | 'number' | 'object'>>;

const machineShape: Shape = { cpu: 'string', cores: 'number', threads: 'number', isa: 'string', date: 'string' };
const limitsShape: Shape = { fmaGflops1: 'number', fmaGflopsAll: 'number', triadGBps: 'number' };
const resultShape: Shape = {
  work: 'string',
  group: 'string',
  label: 'string',
  device: 'string',
  threads: 'number',
  figure: 'string',
  cache: 'string',
  msMedian: 'number',
  msMin: 'number',
  msMax: 'number',
  msQ1: 'number',
  msQ3: 'number',
  samples: 'number',
  shareOfLimit: 'number',
  bound: 'string',
  peers: 'object',
};

/** The first field of a value that is missing or of another kind; null when it has all. */
function lacking(value: unknown, shape: Shape): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'an object';
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const [name, kind] of Object.entries(shape)) {
    const field = fields.get(name);
    if (typeof field !== kind || field === null) return `${name} (a ${kind})`;
  }
  return null;
}

function check(value: unknown): asserts value is BenchReport {
  const fail = (where: string, what: string): never => {
    throw new AnnealError('E_FORMAT', `expected ${what} in ${where} of a benchmark's JSON`);
  };
  const top = lacking(value, { machine: 'object', limits: 'object', results: 'object' });
  if (top !== null) return fail('the top level', top);
  const { machine, limits, results } = value as BenchReport;
  const parts: [string, unknown, Shape][] = [
    ['machine', machine, machineShape],
    ['limits', limits, limitsShape],
  ];
  for (const [name, part, shape] of parts) {
    const missing = lacking(part, shape);
    if (missing !== null) fail(name, missing);
  }
  if (!Array.isArray(results)) return fail('results', 'an array');
  results.forEach((result: unknown, i) => {
    const missing = lacking(result, resultShape);
    if (missing !== null) fail(`results[${i}]`, missing);
  });
}

/** @throws E_FORMAT when the text is not the JSON of a benchmark */
export function parseReport(text: string): BenchReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AnnealError('E_FORMAT', 'expected the JSON of a benchmark, received text that is no JSON', { cause });
  }
  check(value);
  return value;
}

/** @throws E_IO when the file cannot be read, E_FORMAT when it is not the JSON of a benchmark */
export async function readReport(path: string): Promise<BenchReport> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new AnnealError('E_IO', `${path}: expected the JSON of a benchmark, cannot read it`, { cause });
  }
  try {
    return parseReport(text);
  } catch (error) {
    if (!(error instanceof AnnealError)) throw error;
    throw new AnnealError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
