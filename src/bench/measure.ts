// Measures one work: its kernels on the addon's clock and its calls as a user makes them, limits in between.
import { type Capture, costOf, encodeRefs, type OpCall, type SizedCall, workingSet } from './capture.js';
import { leastShare, productOps } from './least_products.js';
import type { Limits } from './limits.js';
import {
  type BoundKind,
  type LimitName,
  limitOfAll,
  limitsFor,
  type Placement,
  type Rates,
  type Traffic,
} from './roofline.js';
import { median, type Summary, summarize, sumOf } from './statistics.js';

export interface Measured extends Summary {
  readonly flops: number;
  readonly bytes: number;
  readonly bound: BoundKind;
  /** The limit's time for the direct sums over the median time: 1 is the limit itself. */
  readonly shareOfLimit: number;
  /** Whether the median beat the limit of the least products even at the best rates around it: then one is wrong. */
  readonly aboveLimit: boolean;
  /** The limit's samples around this measurement. */
  readonly rates: readonly Rates[];
}

/** Limits are sampled before, between and after this many rounds of samples. */
const ROUNDS = 5;
const LEAST_SAMPLES = 10;
const MOST_SAMPLES = 200;
/** Seconds that one sample of a warm kernel takes at least, by repeating it: well above the clock's grain. */
const SAMPLE_SECONDS = 2e-4;
/** Seconds that evicting a byte takes, about. */
const EVICT_SECONDS_PER_BYTE = 4e-10;

export function trafficOf(call: SizedCall): Traffic {
  const written = call.outputs.reduce((sum, ref) => sum + (ref?.bytes ?? 0), 0);
  const { flops, bytes } = costOf(call);
  const products = productOps.has(call.op) ? flops : 0;
  const leastProducts = products * (products > 0 ? leastShare(call.op, call.params) : 1);
  return { flops, products, leastProducts, bytes, written: Math.min(written, bytes), workingSet: workingSet(call) };
}

/** The share of a measured time, by the median of the rates around it, and whether it beats even the best of them. */
export function compareToLimit(
  kernels: readonly Traffic[],
  seconds: number,
  rates: readonly Rates[],
  placement: Placement,
): Pick<Measured, 'bound' | 'shareOfLimit' | 'aboveLimit'> {
  const names = new Set(rates.flatMap((each) => Object.keys(each) as LimitName[]));
  const pick = (of: (values: readonly number[]) => number): Rates =>
    Object.fromEntries([...names].map((name) => [name, of(rates.flatMap((each) => each[name] ?? []))]));
  const usual = limitOfAll(kernels, pick(median), placement);
  const { unbeatable = 'all' } = placement;
  const memory = unbeatable === 'all' ? {} : { bytes: 0, written: 0 };
  const best = limitOfAll(
    kernels.map((kernel) => ({ ...kernel, ...memory, products: unbeatable === 'none' ? 0 : kernel.leastProducts })),
    pick((values) => Math.max(...values)),
    placement,
  );
  return {
    bound: usual.bound,
    shareOfLimit: usual.seconds / seconds,
    aboveLimit: best.seconds > seconds,
  };
}

interface Plan {
  readonly call: OpCall;
  readonly inner: number;
  readonly samplesPerRound: number;
}

/** The kernels of a capture, each by itself, in rounds. */
export async function measureKernels(
  { backend, calls }: Capture,
  loops: Limits,
  placement: Placement,
  budgetMs: number,
): Promise<Measured> {
  const { cold } = placement;
  const time = (call: OpCall, samples: number, inner: number): Promise<Float64Array> => {
    const { op, params, inputs, outputs } = call;
    const operands = encodeRefs(inputs, outputs);
    return backend.time(op, params, operands, inputs.length, outputs.length, { samples, inner, cold });
  };
  const plans: Plan[] = [];
  for (const call of calls) {
    await time(call, 1, 1); // touches what is new
    const seconds = median(await time(call, 3, 1));
    const inner = cold ? 1 : Math.max(1, Math.ceil(SAMPLE_SECONDS / seconds));
    const each = seconds * inner + (cold ? EVICT_SECONDS_PER_BYTE * workingSet(call) : 0);
    const fitting = budgetMs / 1e3 / each / calls.length;
    const least = calls.length > 1 ? ROUNDS : LEAST_SAMPLES;
    const samples = Math.max(least, Math.min(MOST_SAMPLES, fitting));
    plans.push({ call, inner, samplesPerRound: Math.ceil(samples / ROUNDS) });
  }
  const kernels = calls.map(trafficOf);
  const names = new Set(kernels.flatMap((traffic) => limitsFor(traffic, placement)));
  const rates = [await loops.rates(names)];
  const seconds: number[][] = plans.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { call, inner, samplesPerRound }] of plans.entries())
      seconds[i]?.push(...(await time(call, samplesPerRound, inner)));
    rates.push(await loops.rates(names));
  }
  const summary = sumOf(seconds.map(summarize));
  return {
    ...summary,
    ...totalsOf(kernels),
    ...compareToLimit(kernels, summary.msMedian / 1e3, rates, placement),
    rates,
  };
}

/** Anything that gives a summary, held to the limits sampled before and after it. */
export async function measureBetweenLimits(
  kernels: readonly Traffic[],
  loops: Limits,
  placement: Placement,
  run: () => Promise<Summary>,
): Promise<Measured> {
  const names = new Set(kernels.flatMap((traffic) => limitsFor(traffic, placement)));
  const before = [await loops.rates(names), await loops.rates(names)];
  const summary = await run();
  const rates = [...before, await loops.rates(names), await loops.rates(names)];
  return {
    ...summary,
    ...totalsOf(kernels),
    ...compareToLimit(kernels, summary.msMedian / 1e3, rates, placement),
    rates,
  };
}

function totalsOf(kernels: readonly Traffic[]): { flops: number; bytes: number } {
  const total = (pick: (traffic: Traffic) => number): number => kernels.reduce((sum, each) => sum + pick(each), 0);
  return { flops: total(({ flops }) => flops), bytes: total(({ bytes }) => bytes) };
}
