// What a call could do at best on this machine, from the rates that the limit loops reached around it.
//
// A kernel of products takes at least as long as its arithmetic at the multiply-add peak of its threads; every kernel takes
// at least as long as its traffic. Traffic counts each operand once, as the cost formulas do. Out of cache, what is read
// moves at the rate of the read loop (or triad's, if that is better), and what is written at the rate that makes triad, 8
// bytes read and 4 written an element, come out as measured; so reading alone is not held to the slower rate of a mix, nor
// writing to the faster one. In a cache, everything moves at that cache's read rate, which no mix exceeds; of operands that
// are larger than the last cache, the part that fits does. An optimizer's buffers are updated in place: its limit is the
// loop that does just that.

/** Rates around a work: GFLOP/s of `fma`, GB/s of the rest. A rate that was not measured is absent. */
export interface Rates {
  readonly fma?: number;
  readonly triad?: number;
  readonly read?: number;
  readonly l1?: number;
  readonly l2?: number;
  readonly l3?: number;
  readonly sgd?: number;
  readonly adamw?: number;
}

export type LimitName = keyof Rates;

/** What one kernel does. */
export interface Traffic {
  /** By the cost formula: for the rate that is shown. */
  readonly flops: number;
  /** Those of them that the multiply-add peak is a limit of; estimates of exponentials and the like are not. */
  readonly products: number;
  /** Those of `products` that no kernel of ours can do without (least_products.ts). */
  readonly leastProducts: number;
  /** Bytes moved; those of them that are written. */
  readonly bytes: number;
  readonly written: number;
  /** Bytes of all operands. */
  readonly workingSet: number;
}

/** Where operands are before a kernel runs. */
export interface Placement {
  readonly cold: boolean;
  readonly threads: number;
  readonly caches: CacheSizes;
  /** The in-place loop this kernel is held to, if it is an optimizer. */
  readonly loop?: 'sgd' | 'adamw';
  /** Which limits no time can be below: `compute` alone where caches are not known, `none` with matrix units. Default all. */
  readonly unbeatable?: 'all' | 'compute' | 'none';
}

/** Bytes: L1 and L2 of one core, L3 of all. */
export interface CacheSizes {
  readonly l1: number;
  readonly l2: number;
  readonly l3: number;
}

export type BoundKind = 'compute' | 'memory';

/** The level whose rate holds for a warm working set, and how much of it that level has at most. */
function levelOf(workingSet: number, { threads, caches }: Placement): { level: 'l1' | 'l2' | 'l3'; share: number } {
  if (workingSet <= caches.l1 * threads) return { level: 'l1', share: 1 };
  if (workingSet <= caches.l2 * threads) return { level: 'l2', share: 1 };
  return { level: 'l3', share: Math.min(1, caches.l3 / workingSet) };
}

/** The loops whose rates a kernel's limit takes. */
export function limitsFor(traffic: Traffic, placement: Placement): LimitName[] {
  const compute: LimitName[] = traffic.products > 0 ? ['fma'] : [];
  if (placement.loop) return [...compute, placement.loop];
  if (placement.cold) return [...compute, 'triad', 'read'];
  const { level, share } = levelOf(traffic.workingSet, placement);
  return share < 1 ? [...compute, level, 'triad', 'read'] : [...compute, level];
}

const GIGA = 1e9;
const TRIAD = { read: 8, written: 4 };

/** Seconds to move the bytes from and to memory. */
function memorySeconds({ bytes, written }: Traffic, { triad = Number.NaN, read = Number.NaN }: Rates): number {
  const reading = Math.max(read, triad); // triad reads, too: a reading loop that is slower was disturbed
  const triadSeconds = (TRIAD.read + TRIAD.written) / triad;
  const writing = TRIAD.written / (triadSeconds - TRIAD.read / reading);
  return ((bytes - written) / reading + written / writing) / GIGA;
}

function trafficSeconds(traffic: Traffic, rates: Rates, placement: Placement): number {
  if (placement.loop) return traffic.bytes / (rates[placement.loop] ?? Number.NaN) / GIGA;
  if (placement.cold) return memorySeconds(traffic, rates);
  const { level, share } = levelOf(traffic.workingSet, placement);
  const cached = (share * traffic.bytes) / (rates[level] ?? Number.NaN) / GIGA;
  return share < 1 ? cached + (1 - share) * memorySeconds(traffic, rates) : cached;
}

/** The least seconds a kernel can take at these rates, and what binds it. */
export function limitSeconds(
  traffic: Traffic,
  rates: Rates,
  placement: Placement,
): { readonly seconds: number; readonly bound: BoundKind } {
  const compute = traffic.products === 0 ? 0 : traffic.products / (rates.fma ?? Number.NaN) / GIGA;
  const memory = trafficSeconds(traffic, rates, placement);
  return compute > memory ? { seconds: compute, bound: 'compute' } : { seconds: memory, bound: 'memory' };
}

/** The same for kernels one after the other: bound by what takes most of the time. */
export function limitOfAll(
  kernels: readonly Traffic[],
  rates: Rates,
  placement: Placement,
): { readonly seconds: number; readonly bound: BoundKind } {
  let [seconds, compute] = [0, 0];
  for (const kernel of kernels) {
    const limit = limitSeconds(kernel, rates, placement);
    seconds += limit.seconds;
    if (limit.bound === 'compute') compute += limit.seconds;
  }
  return { seconds, bound: compute > 0 && 2 * compute >= seconds ? 'compute' : 'memory' };
}
