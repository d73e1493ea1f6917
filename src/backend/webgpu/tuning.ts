// Which variant of a kernel is the fastest on this adapter: timed when the adapter is used for the first time, and kept in a file, so
// that all later processes choose the same.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { AnnealError } from '../../errors.js';
import type { OpName } from '../backend.js';
import type { WebGpuBackend } from './backend.js';
import { runsOn, variantNames, type WebGpuKernel } from './kernel.js';

/** By op and class of shapes: the variant, and the milliseconds of each. */
export type Choices = Readonly<
  Record<string, { readonly variant: string; readonly milliseconds: Readonly<Record<string, number>> }>
>;

const SAMPLES = 5;
/**
 * A call of so many seconds is timed once, and once more where it lost by less than a factor: adapters that slow are in software,
 * and five calls of each variant took half a minute.
 */
const SLOW = 0.03;
const CLOSE = 4;

/** Where choices are kept: `ANNEAL_CACHE_DIR`, else the user's cache folder. */
export function cacheFolder(): string {
  const { ANNEAL_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  return ANNEAL_CACHE_DIR || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'anneal');
}

/** A file for each adapter, driver and version of ours, and for each set of variants there is to choose from. */
function fileOf(description: string, version: string, kernels: readonly WebGpuKernel[]): string {
  const choices = kernels.map(({ op, variants }) => [op, variants?.classes]);
  const key = JSON.stringify([description, version, choices]);
  return join(cacheFolder(), `webgpu-${createHash('sha256').update(key).digest('hex').slice(0, 16)}.json`);
}

/** The least milliseconds of the sample call with each variant: what else the machine does only adds to them. */
async function timeVariants(
  backend: WebGpuBackend,
  { op, struct, variants }: WebGpuKernel,
  shapeClass: string,
): Promise<Record<string, number>> {
  const group = variants?.classes[shapeClass];
  const milliseconds: Record<string, number> = {};
  if (variants === undefined || group === undefined) return milliseconds;
  const { names, sample } = group;
  const sizes = [...sample.inputs, ...sample.outputs];
  const handles = sizes.map((size) => backend.alloc(4 * size));
  try {
    handles.forEach((handle, i) => {
      backend.write(handle, 0, new Float32Array(sizes[i] ?? 0).fill(0.5));
    });
    const params = struct.encode(sample.params).slice();
    const operands = Float64Array.from(handles.flatMap((handle, i) => [handle, 0, 4 * (sizes[i] ?? 0)]));
    const [nIn, nOut] = [sample.inputs.length, sample.outputs.length];
    for (const name of names) {
      if (!runsOn(backend.traits, name, variants)) continue;
      backend.choose(op, shapeClass, name);
      const timed = (samples: number) =>
        backend.time(op, params, operands, nIn, nOut, { samples, inner: 1, cold: false });
      const [first = Number.POSITIVE_INFINITY] = await timed(1);
      const best = Math.min(...Object.values(milliseconds)) / 1e3;
      const again = first < SLOW ? SAMPLES : first > best && first < CLOSE * best ? 1 : 0;
      const more = again === 0 ? [] : await timed(again);
      milliseconds[name] = 1e3 * Math.min(first, ...more);
    }
  } finally {
    for (const handle of handles) backend.free(handle);
  }
  return milliseconds;
}

async function measured(backend: WebGpuBackend, kernels: readonly WebGpuKernel[]): Promise<Choices> {
  const choices: Record<string, Choices[string]> = {};
  for (const kernel of kernels) {
    for (const shapeClass of Object.keys(kernel.variants?.classes ?? {})) {
      const milliseconds = await timeVariants(backend, kernel, shapeClass);
      const [variant = ''] = Object.entries(milliseconds).sort((a, b) => a[1] - b[1])[0] ?? [];
      choices[`${kernel.op} ${shapeClass}`] = { variant, milliseconds };
    }
  }
  return choices;
}

async function read(file: string): Promise<Choices | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return null; // not there yet, or torn: measured again
  }
}

/** In place of the file at once, or not at all. */
async function keep(file: string, choices: Choices): Promise<void> {
  const partial = `${file}.${process.pid}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(partial, `${JSON.stringify(choices, null, 1)}\n`);
    await rename(partial, file);
  } catch {
    // No place to keep it, such as a home that is read-only: the next process measures again, and nothing else is lost.
  }
}

/** Makes the backend take the fastest variants, by the cache or by timing them. Gives them. */
export async function tune(
  backend: WebGpuBackend,
  all: Readonly<Partial<Record<OpName, WebGpuKernel>>>,
  version: string,
): Promise<Choices> {
  const kernels = Object.values(all).filter(({ variants }) => variants !== undefined);
  const file = fileOf(backend.detail, version, kernels);
  const known = await read(file);
  const choices = known ?? (await measured(backend, kernels));
  if (known === null) await keep(file, choices);
  for (const { op, variants } of kernels) {
    for (const [shapeClass, { names }] of Object.entries(variants?.classes ?? {})) {
      const variant = choices[`${op} ${shapeClass}`]?.variant;
      if (variant !== undefined && names.includes(variant)) backend.choose(op, shapeClass, variant);
    }
  }
  return choices;
}

/**
 * Takes variants by `ANNEAL_WEBGPU_VARIANTS`: `gpu` or `software` for those of such an adapter and `plain` for one without subgroups (adapter.ts), or pairs as in
 * `sgemm=tiled4`, comma-separated. @throws E_ARGUMENT for what is no variant
 */
export function chooseAsTold(
  backend: WebGpuBackend,
  kernels: Readonly<Partial<Record<OpName, WebGpuKernel>>>,
  told: string,
): void {
  for (const pair of told.split(',')) {
    if (pair === 'gpu' || pair === 'software' || pair === 'plain') continue;
    const [name, variant = ''] = pair.split('=');
    const kernel = Object.values(kernels).find(({ op }) => op === name);
    if (!kernel?.variants || !variantNames(kernel.variants).includes(variant)) {
      const known = Object.values(kernels).flatMap(({ op, variants }) =>
        variants ? variantNames(variants).map((each) => `${op}=${each}`) : [],
      );
      throw new AnnealError(
        'E_ARGUMENT',
        `ANNEAL_WEBGPU_VARIANTS: expected gpu, software, plain or ${known.join(', ')}, received '${pair}'`,
      );
    }
    backend.choose(kernel.op, '*', variant);
  }
}
