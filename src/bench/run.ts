// A run of the benchmark: group by group, ours, then each peer in a process of its own.
import { cpus, type as osName, release, totalmem } from 'node:os';
import type { Backend, Precision } from '../backend/backend.js';
import { isCuda } from '../backend/cuda.js';
import { backendOf, cpuInfo, defaultDevice, setThreads } from '../backend/device.js';
import { AnnealError } from '../errors.js';
import { version } from '../version.js';
import { cacheSizes } from './caches.js';
import { loadBenchmark, timeCalls } from './calls.js';
import { type Capture, capture } from './capture.js';
import { CudaLimits, noCaches } from './cuda_limits.js';
import { type EventLoopResult, type EventLoopWork, measureEventLoop } from './event_loop.js';
import { devicePeak, type FmaPeak, fmaPeaks, LimitLog, LimitLoops, type Limits, loopMs } from './limits.js';
import { type Measured, measureBetweenLimits, measureKernels, trafficOf } from './measure.js';
import { type PeerName, type PeerResult, type PeerRun, runPeer } from './peers.js';
import { type Calls, problemOf } from './problem.js';
import type { BenchLimits, BenchReport, BenchResult, PeerFigure } from './report.js';
import type { LimitName, Placement } from './roofline.js';
import { verifyCall } from './verify.js';
import type { Work } from './works.js';

export interface BenchProgress {
  /** Works done, of all of them, peers' included. */
  readonly done: number;
  readonly total: number;
  /** What is being measured. */
  readonly doing: string;
}

export interface BenchOptions {
  readonly works: readonly Work[];
  /** Training runs beside a server, at the end and without peers. Default: none. */
  readonly eventLoop?: readonly EventLoopWork[];
  /** Default: the number in use. */
  readonly threads?: number;
  /** Of all operands. Default 1. */
  readonly seed?: number;
  /** Milliseconds of samples for each row. Default 400. */
  readonly budgetMs?: number;
  /** Who runs beside us, each in a process of its own for each group of works. Default: nobody. */
  readonly peers?: readonly PeerName[];
  /** How a peer is run; tests put theirs in its place. */
  readonly runPeer?: typeof runPeer;
  /** What the products of a CUDA device compute in: set by whoever opened it. Default 'f32'. */
  readonly precision?: Precision;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BenchProgress) => void;
}

const BUDGET_MS = 400;
/** From here on a product is held to one core's peak as well. */
const ONE_THREAD_SIZE = 512;
/** Up to here a product is also measured with cold caches. */
const COLD_SIZE = 512;
const LIMIT_SAMPLES = 5;
/** A training run beside a server goes on for so many budgets: a 99th percentile wants thousands of samples. */
const EVENT_LOOP_BUDGETS = 15;

const everyLimit: readonly LimitName[] = ['fma', 'triad', 'read', 'l1', 'l2', 'l3', 'sgd', 'adamw'];

class Run {
  readonly results: BenchResult[] = [];
  readonly failures: string[] = [];
  /** Of each peer, what it said of itself, or why it is absent. */
  readonly peers: Record<string, string> = {};
  readonly log = new LimitLog();
  readonly backend: Backend = backendOf(defaultDevice());
  /** null: not a CUDA device. */
  readonly byClocks = isCuda(this.backend) ? new CudaLimits(this.backend.cuda.about) : null;
  readonly loops: Limits = this.byClocks ?? new LimitLoops();
  readonly caches = this.byClocks === null ? cacheSizes() : noCaches;
  readonly #budgetMs: number;
  /** By peer and work. */
  readonly #peerResults = new Map<PeerName, Map<string, PeerResult>>();
  readonly #absent = new Set<PeerName>();

  constructor(
    readonly options: BenchOptions,
    readonly threads: number,
    readonly Timer: Awaited<ReturnType<typeof loadBenchmark>>,
  ) {
    this.#budgetMs = options.budgetMs ?? BUDGET_MS;
  }

  /** Verifies a work, then gives all of its rows. */
  async measure(work: Work): Promise<void> {
    using problem = problemOf(work, this.options.seed ?? 1);
    using captured = capture(this.backend, () => problem.call());
    await this.backend.sync();
    if (!(await this.#verify(work, captured))) return;
    await this.#kernels(work, captured, this.threads, false);
    await this.#calls(work, captured, problem, 'call');
    if (problem.captured) await this.#calls(work, captured, problem.captured, 'captured');
    if (isCold(work)) await this.#kernels(work, captured, this.threads, true);
    if (work.kind !== 'sgemm' || this.threads === 1 || this.backend.name !== 'cpu') return;
    if (Math.min(work.m, work.n, work.k) < ONE_THREAD_SIZE) return;
    setThreads(1);
    try {
      if (await this.#verify(work, captured)) await this.#kernels(work, captured, 1, false);
    } finally {
      setThreads(this.threads);
    }
  }

  /** One sample of every limit, for the run's own list. */
  async sampleLimits(): Promise<void> {
    const samples = [];
    for (let i = 0; i < LIMIT_SAMPLES; i++) samples.push(await this.loops.rates(everyLimit));
    this.log.add(this.threads, samples);
  }

  /** Runs a peer over works of one group. One that is absent is asked once. */
  async measurePeer(name: PeerName, works: readonly Work[], onWork: (work: string) => void): Promise<void> {
    if (this.#absent.has(name)) return;
    const { signal, seed = 1, precision = 'f32', runPeer: start = runPeer } = this.options;
    const found: PeerRun<PeerName> = await start(name, works, {
      threads: this.threads,
      seed,
      budgetMs: this.#budgetMs,
      ...(this.byClocks === null ? {} : { device: this.backend.name, precision }),
      signal,
      onResult: onWork,
    });
    if ('missing' in found) {
      this.#absent.add(name);
      this.peers[name] ??= `not measured: ${found.missing}`;
      return;
    }
    this.peers[name] = [found.version, found.detail].filter((part) => part !== '').join(', ');
    const results = this.#peerResults.get(name) ?? new Map<string, PeerResult>();
    for (const [work, result] of found.results) results.set(work, result);
    this.#peerResults.set(name, results);
  }

  /** A row with the peers beside it: they run on all threads and with warm caches, so other rows have none. */
  withPeers(row: BenchResult): BenchResult {
    if (row.cache === 'cold' || row.threads !== this.threads) return row;
    const peers: Record<string, PeerFigure> = {};
    for (const [name, results] of this.#peerResults) {
      const result = results.get(row.work);
      if (result === undefined || 'skip' in result) continue;
      const { msMedian, msMin, msMax, samples, note } = result;
      const ratio = msMedian / row.msMedian;
      peers[name] = { msMedian, msMin, msMax, samples, ratio, ...(note === undefined ? {} : { note }) };
    }
    return { ...row, peers };
  }

  /** Gives memory back, so that peers have it. */
  release(): void {
    this.loops.release();
    this.backend.trim();
  }

  async #verify({ work }: Work, { calls }: Capture): Promise<boolean> {
    for (const call of calls) {
      this.options.signal?.throwIfAborted();
      const error = await verifyCall(this.backend, call, this.options.precision);
      if (error === null) continue;
      this.failures.push(`${work}: ${error}`);
      return false;
    }
    return true;
  }

  #placement(work: Work, threads: number, cold: boolean): Placement {
    const loop = work.kind === 'optimizer' ? { loop: work.rule } : {};
    const { precision = 'f32' } = this.options;
    const unbeatable = this.byClocks === null ? 'all' : precision === 'f32' ? 'compute' : 'none';
    return { cold, threads, caches: this.caches, unbeatable, ...loop };
  }

  async #kernels(work: Work, captured: Capture, threads: number, cold: boolean): Promise<void> {
    this.options.signal?.throwIfAborted();
    const placement = this.#placement(work, threads, cold);
    this.#add(work, placement, 'kernel', await measureKernels(captured, this.loops, placement, this.#budgetMs));
  }

  async #calls(work: Work, captured: Capture, problem: Calls, figure: BenchResult['figure']): Promise<void> {
    this.options.signal?.throwIfAborted();
    const placement = this.#placement(work, this.threads, false);
    const time = () => timeCalls(this.Timer, problem, this.backend, this.#budgetMs);
    const measured = await measureBetweenLimits(captured.calls.map(trafficOf), this.loops, placement, time);
    this.#add(work, placement, figure, measured);
  }

  #add(work: Work, { threads, cold }: Placement, figure: BenchResult['figure'], measured: Measured): void {
    const { msMedian, msMin, msMax, msQ1, msQ3, samples, flops, bytes, bound, shareOfLimit, aboveLimit, rates } =
      measured;
    this.log.add(threads, rates);
    const cache = cold ? 'cold' : 'warm';
    const result: BenchResult = {
      work: work.work,
      group: work.group,
      label: work.label,
      device: this.backend.name,
      threads,
      figure,
      cache,
      msMedian,
      msMin,
      msMax,
      msQ1,
      msQ3,
      samples,
      ...(flops > 0 ? { gflops: flops / msMedian / 1e6 } : {}),
      ...(bytes > 0 ? { gbps: bytes / msMedian / 1e6 } : {}),
      shareOfLimit,
      bound,
      peers: {},
    };
    this.results.push(result);
    if (aboveLimit) {
      const share = `${(100 * shareOfLimit).toFixed(1)}%`;
      this.failures.push(`${work.work} (${figure}, ${cache}, ${threads} threads): ${share} of the limit, above 100%`);
    }
  }
}

function isCold(work: Work): boolean {
  if (work.group === 'memory') return true;
  return work.kind === 'sgemm' && Math.max(work.m, work.n, work.k) <= COLD_SIZE;
}

function limitsOf(
  log: LimitLog,
  threads: number,
  fma: Readonly<Record<string, FmaPeak>>,
  kernels: string,
): BenchLimits {
  const best = (name: LimitName): number => log.best(name, threads) ?? Number.NaN;
  return {
    fmaGflops1: Math.max(fma[kernels]?.gflops1 ?? 0, log.best('fma', 1) ?? 0),
    fmaGflopsAll: Math.max(fma[kernels]?.gflopsAll ?? 0, best('fma')),
    triadGBps: best('triad'),
    readGBps: best('read'),
    l1GBps: best('l1'),
    l2GBps: best('l2'),
    l3GBps: best('l3'),
    sgdLoopMs: loopMs('sgd', best('sgd')),
    adamwLoopMs: loopMs('adamw', best('adamw')),
    fma,
  };
}

/**
 * Measures the works. Whatever is wrong with a result is in `failures`.
 * @throws E_ABORTED when the signal says so, E_IO without the package `benchmark`
 */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const {
    works,
    eventLoop = [],
    threads: wanted,
    signal,
    onProgress,
    seed = 1,
    peers = [],
    precision = 'f32',
  } = options;
  const before = cpuInfo().threads;
  if (wanted !== undefined) setThreads(wanted);
  const { threads } = cpuInfo();
  const start = performance.now();
  const run = new Run(options, threads, await loadBenchmark());
  const onCpu = run.backend.name === 'cpu';
  const kernels = onCpu ? cpuInfo().isa : run.backend.name;
  const peaks = () =>
    onCpu ? fmaPeaks(run.loops, threads, LIMIT_SAMPLES) : devicePeak(run.loops, run.backend.name, LIMIT_SAMPLES);
  try {
    const groups = [...new Set(works.map(({ group }) => group))];
    const total = works.length * (1 + peers.length) + eventLoop.length;
    let done = 0;
    const tell = (doing: string): void => onProgress?.({ done, total, doing });
    tell('limits');
    const first = await peaks();
    await run.sampleLimits();
    for (const name of groups) {
      const group = works.filter((work) => work.group === name);
      for (const work of group) {
        signal?.throwIfAborted();
        tell(work.work);
        await run.measure(work);
        done++;
      }
      run.release();
      for (const peer of peers) {
        signal?.throwIfAborted();
        const before = done;
        tell(peer);
        await run.measurePeer(peer, group, (work) => {
          done++;
          tell(`${peer} ${work}`);
        });
        done = before + group.length;
      }
    }
    const turns: EventLoopResult[] = [];
    for (const work of eventLoop) {
      signal?.throwIfAborted();
      tell(work.work);
      const ms = EVENT_LOOP_BUDGETS * (options.budgetMs ?? BUDGET_MS);
      turns.push(await measureEventLoop(work, { ms, seed, threads, signal }));
      run.release();
      done++;
    }
    tell('limits');
    const last = await peaks();
    const fma = Object.fromEntries(Object.entries(first).map(([name, peak]) => [name, better(peak, last[name])]));
    const machine = {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      threads,
      isa: onCpu ? kernels : `${kernels} (${run.backend.detail})`,
      memoryGB: Math.round(totalmem() / 2 ** 30),
      os: `${osName()} ${release()}`,
      node: process.version,
      anneal: version,
      date: new Date().toISOString(),
      seed,
      seconds: (performance.now() - start) / 1e3,
      ...(run.byClocks?.about.emulated ? { emulated: true } : {}),
      ...(precision === 'f32' ? {} : { precision }),
      peers: run.peers,
    };
    const { failures } = run;
    const results = run.results.map((row) => run.withPeers(row));
    const report = {
      machine,
      limits: { ...limitsOf(run.log, threads, fma, kernels), ...byClocks(run.byClocks) },
      results,
      ...(turns.length > 0 ? { eventLoop: turns } : {}),
    };
    return failures.length === 0 ? report : { ...report, failures };
  } catch (error) {
    if (signal?.aborted) throw new AnnealError('E_ABORTED', 'bench: interrupted', { cause: error });
    throw error;
  } finally {
    setThreads(before);
    run.release();
  }
}

/** Caches have no rate there, and words say where the others come from. */
function byClocks(limits: CudaLimits | null): Partial<BenchLimits> {
  return limits === null ? {} : { l1GBps: 0, l2GBps: 0, l3GBps: 0, source: limits.text };
}

function better(a: FmaPeak, b: FmaPeak = a): FmaPeak {
  return { gflops1: Math.max(a.gflops1, b.gflops1), gflopsAll: Math.max(a.gflopsAll, b.gflopsAll) };
}
