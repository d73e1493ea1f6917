// The CUDA devices: the addon's, over NVIDIA's driver.
import { addon, type CudaDevice } from '../binding.js';
import type { Backend, CudaName } from './backend.js';
import { createNativeBackend } from './native.js';

export interface CudaBackend extends Backend {
  readonly cuda: CudaDevice;
}

/** Whether a device is named 'cuda' or 'cuda:1'. */
export function isCudaName(name: unknown): name is 'cuda' | CudaName {
  return typeof name === 'string' && /^cuda(:(0|[1-9]\d{0,3}))?$/.test(name);
}

/** @throws E_DEVICE with the reason where it cannot be opened */
export function createCudaBackend(name: CudaName): CudaBackend {
  const cuda = addon().openCuda(Number(name.slice('cuda:'.length)));
  const { about } = cuda;
  const driver = `${Math.floor(about.driver / 1000)}.${Math.floor((about.driver % 1000) / 10)}`;
  const capability = `${Math.floor(about.computeCapability / 10)}.${about.computeCapability % 10}`;
  const what = `${about.name}, compute capability ${capability}, ${(about.memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  const detail = about.emulated ? `emulated: ${what}` : `${what}, driver for CUDA ${driver}`;
  const backend = createNativeBackend(cuda, { name, detail: () => detail, software: about.emulated });
  return Object.assign(backend, { cuda });
}

/** Why there is no CUDA device, or what there is. */
export function cudaDetail(): { readonly count: number; readonly detail: string } {
  const { count, reason, emulated, toolkit } = addon().cudaDevices();
  if (count === 0) return { count, detail: reason };
  if (!emulated && toolkit === 0)
    return {
      count: 0,
      detail:
        'this build has no CUDA kernels: nvcc was not found when it was built; install the CUDA toolkit and run "npm rebuild anneal"',
    };
  return { count, detail: `${emulated ? 'emulated, ' : ''}${count} device${count === 1 ? '' : 's'}` };
}
