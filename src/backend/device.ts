// Which devices there are, and the one that new tensors go to.
import { addon, type CpuInfo, type InstructionSet } from '../binding.js';
import { AnnealError, reasonOf } from '../errors.js';
import type { Backend, DeviceName, MemoryInfo } from './backend.js';
import { createCpuBackend } from './cpu.js';
import { cudaDetail, isCudaName } from './cuda.js';

export { addonPath } from '../binding.js';

const backends = new Map<DeviceName, Backend>();

/** The one asked for last, which nearly always is the one asked for next. */
let latest: Backend | undefined;

/** The backend of a device; the CPU's is made on first use. @throws E_DEVICE */
export function backendOf(device: DeviceName): Backend {
  const name = device === 'cuda' ? 'cuda:0' : device;
  if (latest?.name === name) return latest;
  let backend = backends.get(name);
  if (backend === undefined) {
    if (name === 'webgpu' || isCudaName(name))
      throw new AnnealError(
        'E_DEVICE',
        `expected a device that was asked for, received '${device}': await device.request('${device}') first`,
      );
    if (name !== 'cpu')
      throw new AnnealError(
        'E_DEVICE',
        `expected device 'cpu', 'cuda', 'cuda:1', 'webgpu' or 'auto', received '${String(device)}'`,
      );
    backend = createCpuBackend();
    backends.set(name, backend);
  }
  latest = backend;
  return backend;
}

/** Makes a backend the one of its name, in place of an earlier one, whose tensors keep it. */
export function addBackend(backend: Backend): void {
  backends.set(backend.name, backend);
  latest = undefined;
}

let current: DeviceName = 'cpu';

/** The device new tensors are made on. */
export function defaultDevice(): DeviceName {
  return current;
}

/** Sets the device new tensors are made on; `auto` takes the fastest there is. @throws E_DEVICE */
export function setDevice(name: DeviceName | 'auto'): void {
  const chosen = name === 'auto' ? 'cpu' : name;
  backendOf(chosen);
  current = chosen;
}

export interface DeviceInfo {
  readonly name: string;
  readonly available: boolean;
  /** What it is, or why it is missing. */
  readonly detail: string;
}

/** Those that are open, and whether there are others. */
function cudaInfos(): DeviceInfo[] {
  const opened = [...backends.values()].filter(({ name }) => isCudaName(name));
  const infos = opened.map(({ name, detail }) => ({ name, available: true, detail }));
  if (infos.length > 0) return infos;
  try {
    const { count, detail } = cudaDetail();
    const hint = count > 0 ? `${detail}, not asked for yet: await device.request('cuda') opens it` : detail;
    return [{ name: 'cuda', available: false, detail: hint }];
  } catch (error) {
    return [{ name: 'cuda', available: false, detail: reasonOf(error) }];
  }
}

/** Every device this build knows of, and for each missing one the reason. */
export function devices(): DeviceInfo[] {
  const cpu = (): DeviceInfo => {
    try {
      return { name: 'cpu', available: true, detail: backendOf('cpu').detail };
    } catch (error) {
      return { name: 'cpu', available: false, detail: reasonOf(error) };
    }
  };
  const webgpu = backends.get('webgpu');
  const detail = webgpu?.detail ?? "not asked for yet: await device.request('webgpu') opens it, or says why it cannot";
  return [cpu(), ...cudaInfos(), { name: 'webgpu', available: webgpu !== undefined, detail }];
}

/** The CPU device: threads, the instruction set in use, those compiled in and those this CPU has. */
export function cpuInfo(): CpuInfo {
  return addon().device();
}

/**
 * Sets how many threads the CPU kernels use; results do not depend on it. Waits for queued work.
 * @throws E_ARGUMENT unless it is an integer in [1, 1024]
 */
export function setThreads(threads: number): void {
  addon().setThreads(threads);
}

/** Chooses the CPU kernels by instruction set; `reference` is the slow oracle. @throws E_DEVICE, E_ARGUMENT */
export function setInstructionSet(name: InstructionSet): void {
  addon().setIsa(name);
}

/** Resolves when all work enqueued on the device is done. @throws the first failure since the last call */
export function sync(device: DeviceName = current): Promise<void> {
  return backendOf(device).sync();
}

/** Bytes and buffers on a device. */
export function deviceMemory(device: DeviceName = current): MemoryInfo {
  return backendOf(device).memory();
}
