// The machine's own limits, by loops with nothing to improve (kernels/limit), through the same queue and clock as every
// kernel.
import { cpuInfo, setInstructionSet, setThreads } from '../backend/device.js';
import { limitCost } from '../ops/limit/limit.cost.js';
import { FMA_CHAINS, limitKinds, limitParams } from '../ops/limit/limit.js';
import { uniform } from '../ops/random/random.js';
import { keep } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { kernelSeconds } from './clock.js';
import type { LimitName, Rates } from './roofline.js';
import { median } from './statistics.js';

/** Elements of an optimizer's buffer: those of the works of that name. */
const PARAMETERS = 11_152_896;
/** Elements of an array of the loops over memory; they are evicted from the caches before each sample. */
const FAR = 8 << 20;
/** Elements that each thread reads again and again: 16 KB, 256 KB, 4 MB. */
const BLOCKS = { l1: 4 << 10, l2: 64 << 10, l3: 1 << 20 } as const;
/** Bytes that a thread reads in a sample of these. */
const READ_BYTES = 64e6;
/** Elements of a task of the loop that reads memory. */
const FAR_BLOCK = 16 << 10;
const FMA_REPEATS = 60_000;
const FMA_TASKS_PER_THREAD = 4;
/** Executions of a sample, of which the fastest counts: a limit is what the machine can do, interrupts are not. */
const EXECUTIONS = { warm: 6, cold: 3 };
/** Seconds from which one execution is a sample: devices in software take up to a second, and an interrupt is little of that. */
const SLOW = 0.2;

interface Loop {
  readonly kind: (typeof limitKinds)[number];
  readonly n: number;
  readonly repeats?: number;
  readonly block?: number;
  /** Elements of each operand. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly cold?: boolean;
}

function loopOf(name: LimitName, threads: number): Loop {
  switch (name) {
    case 'fma': {
      const n = threads * FMA_TASKS_PER_THREAD;
      return { kind: 'fma', n, repeats: FMA_REPEATS, inputs: [FMA_CHAINS], outputs: [n * FMA_CHAINS] };
    }
    case 'triad':
      return { kind: 'triad', n: FAR, inputs: [FAR, FAR], outputs: [FAR], cold: true };
    case 'read':
      return { kind: 'read', n: FAR, block: FAR_BLOCK, inputs: [FAR], outputs: [FAR / FAR_BLOCK], cold: true };
    case 'sgd':
    case 'adamw': {
      const outputs = Array.from({ length: name === 'sgd' ? 3 : 4 }, () => PARAMETERS);
      return { kind: name, n: PARAMETERS, inputs: [PARAMETERS], outputs };
    }
    default: {
      const block = BLOCKS[name];
      const n = block * threads;
      return { kind: 'read', n, block, repeats: Math.ceil(READ_BYTES / (4 * block)), inputs: [n], outputs: [threads] };
    }
  }
}

/** Where the rates of a machine's limits come from. */
export interface Limits {
  /** GFLOP/s of fma, GB/s of the others. */
  sample(name: LimitName): Promise<number>;
  /** One sample of each. */
  rates(names: Iterable<LimitName>): Promise<Rates>;
  /** Lets go of what it holds. */
  release(): void;
}

export class LimitLoops implements Limits, Disposable {
  /** By loop and operand, kept from sample to sample. */
  readonly #operands = new Map<string, Tensor<'f32'>>();

  /** One sample with the threads and instruction set in use: GFLOP/s of fma, GB/s of the others. */
  async sample(name: LimitName): Promise<number> {
    const { kind, n, repeats = 1, block = 1, inputs, outputs, cold = false } = loopOf(name, cpuInfo().threads);
    const values = { kind: limitKinds.indexOf(kind), n, repeats, block };
    const all = [...inputs, ...outputs].map((size, i) => this.#operand(`${kind} ${i}`, size));
    const call = {
      params: limitParams,
      values,
      inputs: all.slice(0, inputs.length),
      outputs: all.slice(inputs.length),
    };
    const timed = (samples: number): Promise<Float64Array> => kernelSeconds(call, { samples, inner: 1, cold });
    const [first = Number.POSITIVE_INFINITY] = await timed(1);
    const rest = first < SLOW ? await timed((cold ? EXECUTIONS.cold : EXECUTIONS.warm) - 1) : [];
    const { flops, bytes } = limitCost(values);
    return (kind === 'fma' ? flops : bytes) / Math.min(first, ...rest) / 1e9;
  }

  /** One sample of each. */
  async rates(names: Iterable<LimitName>): Promise<Rates> {
    const rates: Partial<Record<LimitName, number>> = {};
    for (const name of names) rates[name] = await this.sample(name);
    return rates;
  }

  /** In [0, 1): AdamW takes the root of one of them. Contents do not matter otherwise, but must stay finite and normal. */
  #operand(name: string, size: number): Tensor<'f32'> {
    const key = `${name} ${size}`;
    let tensor = this.#operands.get(key);
    if (tensor === undefined) {
      tensor = keep(uniform([size], { seed: 1, stream: this.#operands.size }));
      this.#operands.set(key, tensor);
    }
    return tensor;
  }

  /** Lets go of the operands; the next sample makes new ones. */
  release(): void {
    for (const tensor of this.#operands.values()) tensor.dispose();
    this.#operands.clear();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** What one pass of an optimizer's loop takes at its rate, GB/s. */
export function loopMs(name: 'sgd' | 'adamw', rate: number): number {
  const { kind, n } = loopOf(name, 1);
  return limitCost({ kind: limitKinds.indexOf(kind), n, repeats: 1 }).bytes / rate / 1e6;
}

export interface FmaPeak {
  readonly gflops1: number;
  readonly gflopsAll: number;
}

/** The multiply-add peak of a device that is not the CPU. */
export async function devicePeak(loops: Limits, name: string, samples: number): Promise<Record<string, FmaPeak>> {
  const rates: number[] = [];
  for (let i = 0; i < samples; i++) rates.push(await loops.sample('fma'));
  const peak = median(rates);
  return { [name]: { gflops1: peak, gflopsAll: peak } };
}

/** The multiply-add peak of every instruction set this CPU has, on one and on all threads. */
export async function fmaPeaks(loops: Limits, threads: number, samples: number): Promise<Record<string, FmaPeak>> {
  const { isa: used, threads: before, runnable } = cpuInfo();
  const peaks: Record<string, FmaPeak> = {};
  const peakOf = async (count: number): Promise<number> => {
    setThreads(count);
    const rates: number[] = [];
    for (let i = 0; i < samples; i++) rates.push(await loops.sample('fma'));
    return median(rates);
  };
  try {
    for (const isa of runnable) {
      if (isa === 'reference') continue;
      setInstructionSet(isa);
      peaks[isa] = { gflops1: await peakOf(1), gflopsAll: await peakOf(threads) };
    }
  } finally {
    setInstructionSet(used);
    setThreads(before);
  }
  return peaks;
}

/** All samples of a run by limit and threads; a work's own are also looked at by themselves. */
export class LimitLog {
  readonly #medians = new Map<string, number>();

  /** Takes the samples around one work. */
  add(threads: number, samples: readonly Rates[]): void {
    const names = new Set(samples.flatMap((rates) => Object.keys(rates) as LimitName[]));
    for (const name of names) {
      const values = samples.flatMap((rates) => rates[name] ?? []);
      const key = `${name} ${threads}`;
      this.#medians.set(key, Math.max(this.#medians.get(key) ?? 0, median(values)));
    }
  }

  /** The best median of any work; undefined where none was measured. */
  best(name: LimitName, threads: number): number | undefined {
    return this.#medians.get(`${name} ${threads}`);
  }
}
