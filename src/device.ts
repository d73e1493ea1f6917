/** Devices: which there are, which is used, how much memory they hold. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CudaName, DeviceName, MemoryInfo, Precision } from './backend/backend.js';
import { createCudaBackend, isCudaName } from './backend/cuda.js';
import { addBackend, backendOf, type DeviceInfo, defaultDevice, setDevice } from './backend/device.js';
import { openAdapter } from './backend/webgpu/adapter.js';
import { createWebGpuBackend } from './backend/webgpu/backend.js';
import type { WebGpuOptions } from './backend/webgpu/options.js';
import { chooseAsTold, tune } from './backend/webgpu/tuning.js';
import { AnnealError } from './errors.js';
import { webGpuKernels } from './ops/webgpu.js';
import { packageRoot } from './package_root.js';
import { liveTensors } from './tensor/tensor.js';
import { type Leak, Tracker, tracking } from './tensor/tracker.js';
import { version } from './version.js';

export type { CudaName, DeviceName, MemoryInfo, Precision } from './backend/backend.js';
export {
  cpuInfo,
  type DeviceInfo,
  defaultDevice,
  devices,
  setDevice,
  setInstructionSet,
  setThreads,
  sync,
} from './backend/device.js';
export type { WebGpuOptions } from './backend/webgpu/options.js';
export type { Leak } from './tensor/tracker.js';

/** What CUDA products compute in; they add up in f32 in any case. */
export interface CudaOptions {
  /** 'tf32' and 'bf16' use the GPU's matrix units, with 10 and 7 bits of each factor (compute capability 8.0). Default 'f32'. */
  readonly precision?: Precision;
}

type RequestOptions = WebGpuOptions & CudaOptions;

/** How devices were asked for in this thread. */
const asked = new Map<string, RequestOptions>();

/** @internal A device that another thread can make its own. */
export interface DeviceChoice {
  readonly name: DeviceName;
  readonly options: RequestOptions;
}

/** @internal The device new tensors are made on, for `takeDevice` in another thread. */
export function chosenDevice(): DeviceChoice {
  const name = defaultDevice();
  return { name, options: asked.get(backendOf(name).name) ?? {} };
}

/** @internal Opens a device where that is needed, and makes it the one of new tensors. @throws E_DEVICE with the reason */
export async function takeDevice({ name, options }: DeviceChoice): Promise<void> {
  if (name !== 'cpu') await open(name, options);
  setDevice(name);
}

/**
 * Opens a device: tensors can be made on it from then on. Again, it opens it anew, as after a loss; tensors of before cannot be
 * mixed with its own.
 *
 * 'webgpu': the first time an adapter is used, the variants of its kernels are timed, and what was found is kept in
 * `ANNEAL_CACHE_DIR` (the user's cache folder unless set). 'cuda' is 'cuda:0'.
 * @throws E_DEVICE with the reason: no driver, no npm package "webgpu", only an adapter in software, no CUDA kernels in this build
 */
export async function request(name: 'webgpu', options?: WebGpuOptions): Promise<DeviceInfo>;
export async function request(name: 'cuda' | CudaName, options?: CudaOptions): Promise<DeviceInfo>;
export async function request(name: DeviceName, options: RequestOptions = {}): Promise<DeviceInfo> {
  return open(name, options);
}

async function open(name: DeviceName, options: RequestOptions): Promise<DeviceInfo> {
  const info = name === 'webgpu' ? await openWebGpu(options) : openCuda(name, options);
  asked.set(info.name, options);
  return info;
}

function openCuda(name: DeviceName, options: CudaOptions): DeviceInfo {
  if (!isCudaName(name))
    throw new AnnealError('E_ARGUMENT', `request: expected 'webgpu', 'cuda' or 'cuda:1', received '${String(name)}'`);
  const full = name === 'cuda' ? 'cuda:0' : name;
  const backend = createCudaBackend(full);
  if (options.precision !== undefined) backend.cuda.setPrecision(options.precision);
  addBackend(backend);
  return { name: full, available: true, detail: backend.detail };
}

async function openWebGpu(options: WebGpuOptions): Promise<DeviceInfo> {
  const opened = await openAdapter(options);
  const root = packageRoot();
  const textOf = (path: string): string => readFileSync(join(root, 'kernels', path), 'utf8');
  const backend = createWebGpuBackend(opened, webGpuKernels, textOf);
  // Told which variants to take, as by tests, it keeps to them.
  const told = process.env.ANNEAL_WEBGPU_VARIANTS;
  if (told === undefined) await tune(backend, webGpuKernels, version);
  else chooseAsTold(backend, webGpuKernels, told);
  addBackend(backend);
  return { name: 'webgpu', available: true, detail: backend.detail };
}

/** Bytes and buffers on a device, and the tensors that are not disposed. */
export function memory(name: DeviceName = defaultDevice()): MemoryInfo & { readonly tensors: number } {
  return { ...backendOf(name).memory(), tensors: liveTensors() };
}

/**
 * Makes `leaks()` know of every tensor made from now on, or, with false, of none any more. A tensor then takes some ten
 * microseconds and the memory of a stack trace; off, as at the start, it costs nothing.
 */
export function trackLeaks(on = true): void {
  tracking.by = on ? new Tracker() : null;
}

/**
 * The tensors made since `trackLeaks()` that are not disposed, oldest first, each with the op that made it and the line of
 * the caller. @throws E_ARGUMENT when nobody asked for tracking
 */
export function leaks(): Leak[] {
  const tracker = tracking.by;
  if (tracker === null) throw new AnnealError('E_ARGUMENT', 'leaks: expected trackLeaks() before');
  return tracker.live();
}

/** Returns a device's pooled memory to the system; gives the bytes returned. */
export function trim(name: DeviceName = defaultDevice()): number {
  return backendOf(name).trim();
}
