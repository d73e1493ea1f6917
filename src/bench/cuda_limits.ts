// What a CUDA device could do at best, by its clocks: the loops of limits.ts are sized for CPUs and would not fill a GPU. Compute is
// multiprocessors x lanes x 2 flops x the highest clock, in f32 and without matrix units; memory is its clock x the bus, two
// transfers a clock. Caches are not known: what is in L2 can be faster than memory allows.
import type { CudaBackend } from '../backend/cuda.js';
import type { Limits } from './limits.js';
import type { CacheSizes, LimitName, Rates } from './roofline.js';

type About = CudaBackend['cuda']['about'];

/** Operands lie in memory, whatever their size. */
export const noCaches: CacheSizes = { l1: 0, l2: 0, l3: 0 };

/** f32 multiply-adds that a multiprocessor begins each clock: 64 for 7.x and 8.0, 128 since. */
export function lanesOf(computeCapability: number): number {
  return computeCapability < 86 ? 64 : 128;
}

export function peakGflops({ computeCapability, multiprocessors, clockKilohertz }: About): number {
  return (2 * lanesOf(computeCapability) * multiprocessors * clockKilohertz) / 1e6;
}

export function memoryGBps({ memoryClockKilohertz, memoryBusBits }: About): number {
  return (2 * memoryClockKilohertz * (memoryBusBits / 8)) / 1e6;
}

export class CudaLimits implements Limits {
  constructor(readonly about: About) {}

  /** In words, with what it is a product of. */
  get text(): string {
    const { multiprocessors, computeCapability, clockKilohertz, memoryClockKilohertz, memoryBusBits } = this.about;
    const peak = `${multiprocessors} multiprocessors x ${lanesOf(computeCapability)} lanes x 2 x ${clockKilohertz / 1e3} MHz`;
    const memory = `${memoryBusBits} bits x 2 x ${memoryClockKilohertz / 1e3} MHz`;
    return (
      `by the device's clocks: FP32 peak ${peakGflops(this.about).toFixed(0)} GFLOP/s (${peak}), memory ` +
      `${memoryGBps(this.about).toFixed(0)} GB/s (${memory})`
    );
  }

  sample(name: LimitName): Promise<number> {
    return Promise.resolve(name === 'fma' ? peakGflops(this.about) : memoryGBps(this.about));
  }

  async rates(names: Iterable<LimitName>): Promise<Rates> {
    const rates: Partial<Record<LimitName, number>> = {};
    for (const name of names) rates[name] = await this.sample(name);
    return rates;
  }

  release(): void {}
}
