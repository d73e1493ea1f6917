// The CPU device.
import { addon } from '../binding.js';
import type { Backend } from './backend.js';
import { createNativeBackend } from './native.js';

export function createCpuBackend(): Backend {
  const native = addon();
  const detail = (): string => {
    const { isa, threads } = native.device();
    return `${isa} kernels, ${threads} threads`;
  };
  return createNativeBackend(native, { name: 'cpu', detail, software: false });
}
