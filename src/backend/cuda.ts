// The CUDA devices: the addon's, over NVIDIA's driver.
import { addon, type CudaDevice, type CudaDevices } from '../binding.js';
import type { Backend, CudaName } from './backend.js';
import { createNativeBackend } from './native.js';

export interface CudaBackend extends Backend {
  readonly cuda: CudaDevice;
}

/** Whether a device is named 'cuda' or 'cuda:1'. */
export function isCudaName(name: unknown): name is 'cuda' | CudaName {
  return typeof name === 'string' && /^cuda(:(0|[1-9]\d{0,3}))?$/.test(name);
}

/** Whether a backend is a CUDA device. */
export function isCuda(backend: Backend): backend is CudaBackend {
  return 'cuda' in backend;
}

/** 13000 is 13.0. */
const versionText = (version: number): string => `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;

/** @throws E_DEVICE with the reason where it cannot be opened */
export function createCudaBackend(name: CudaName): CudaBackend {
  const cuda = addon().openCuda(Number(name.slice('cuda:'.length)));
  const { about } = cuda;
  const capability = `${Math.floor(about.computeCapability / 10)}.${about.computeCapability % 10}`;
  const what = `${about.name}, compute capability ${capability}, ${(about.memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  const driver = `driver for CUDA ${versionText(about.driver)}`;
  const detail = about.emulated
    ? `emulated: ${what}, ${driver}, kernels run by this CPU`
    : `${what}, ${driver}, kernels by toolkit ${versionText(addon().cudaDevices().toolkit)}`;
  const backend = createNativeBackend(cuda, { name, detail: () => detail, software: about.emulated });
  const ranges = () => (cuda.rangesWatched() ? cuda : null);
  return Object.assign(backend, { cuda, profiler: { ...backend.profiler, ranges } });
}

/** Why there is no CUDA device, or what there is. */
export function cudaDetail({ count, reason, emulated, toolkit }: CudaDevices = addon().cudaDevices()): {
  readonly count: number;
  readonly detail: string;
} {
  if (count === 0) return { count, detail: reason };
  if (!emulated && toolkit === 0)
    return {
      count: 0,
      detail:
        'this build has no CUDA kernels: nvcc was not found when it was built, or ANNEAL_CUDA_ARCHS was none; install the CUDA toolkit and run "npm rebuild anneal"',
    };
  return { count, detail: `${emulated ? 'emulated, ' : ''}${count} device${count === 1 ? '' : 's'}` };
}
