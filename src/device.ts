/** Devices: which there are, which is used, how much memory they hold. */
import type { DeviceName, MemoryInfo } from './backend/backend.js';
import { backendOf, defaultDevice } from './backend/device.js';
import { liveTensors } from './tensor/tensor.js';

export type { DeviceName, MemoryInfo } from './backend/backend.js';
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

/** Bytes and buffers on a device, and the tensors that are not disposed. */
export function memory(name: DeviceName = defaultDevice()): MemoryInfo & { readonly tensors: number } {
  return { ...backendOf(name).memory(), tensors: liveTensors() };
}

/** Returns a device's pooled memory to the system; gives the bytes returned. */
export function trim(name: DeviceName = defaultDevice()): number {
  return backendOf(name).trim();
}
