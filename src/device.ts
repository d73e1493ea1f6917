/** Devices: which there are, which is used, how much memory they hold. */
import type { DeviceName, MemoryInfo } from './backend/backend.js';
import { backendOf, defaultDevice } from './backend/device.js';
import { AnnealError } from './errors.js';
import { liveTensors } from './tensor/tensor.js';
import { type Leak, Tracker, tracking } from './tensor/tracker.js';

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
export type { Leak } from './tensor/tracker.js';

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
