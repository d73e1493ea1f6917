// What each op could do at best on this machine: by the loops and the definitions of the benchmark, with operands where a
// step has them, in the smallest caches that may hold them.
import { cpuInfo, setInstructionSet, setThreads } from '../backend/device.js';
import { cacheSizes } from '../bench/caches.js';
import { LimitLoops } from '../bench/limits.js';
import { trafficOf } from '../bench/measure.js';
import {
  type BoundKind,
  type LimitName,
  limitSeconds,
  limitsFor,
  type Placement,
  type Rates,
} from '../bench/roofline.js';
import { median } from '../bench/statistics.js';
import type { ProfileRecording, Signature } from './recording.js';

/** Samples of each loop, of which the median counts. */
const SAMPLES = 3;
/** Milliseconds of samples of a loop after which no other is taken: adapters in software would take half a minute. */
const ENOUGH = 500;

function placementOf({ threads }: ProfileRecording): Placement {
  return { cold: false, threads, caches: cacheSizes() };
}

/** Measures, with nothing else to do for the device, the rates that the recorded ops are held to. Half a second, about. */
export async function measureRates(recording: ProfileRecording): Promise<Rates> {
  const placement = placementOf(recording);
  const names = new Set(recording.signatures.flatMap((each) => limitsFor(trafficOf(each), placement)));
  const { threads, isa, runnable } = cpuInfo();
  const known = runnable.find((name) => name === recording.isa);
  setThreads(recording.threads);
  // The reference kernels are held to what the machine can do.
  setInstructionSet(known === undefined || known === 'reference' ? (runnable.at(-1) ?? isa) : known);
  using loops = new LimitLoops();
  try {
    const rates: Partial<Record<LimitName, number>> = {};
    for (const name of names) {
      const samples: number[] = [];
      const start = performance.now();
      do samples.push(await loops.sample(name));
      while (samples.length < SAMPLES && performance.now() - start < ENOUGH);
      rates[name] = median(samples);
    }
    return rates;
  } finally {
    setThreads(threads);
    setInstructionSet(isa);
  }
}

export interface OpLimit {
  /** The least milliseconds it can take. */
  readonly ms: number;
  readonly bound: BoundKind;
}

/** The limit of an op; null where its cost says nothing, as for one that only draws numbers. */
export function limitOf(signature: Signature, rates: Rates, recording: ProfileRecording): OpLimit | null {
  const { seconds, bound } = limitSeconds(trafficOf(signature), rates, placementOf(recording));
  return seconds > 0 ? { ms: 1e3 * seconds, bound } : null;
}
