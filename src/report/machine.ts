import { cpus } from 'node:os';
import type { DeviceName } from '../backend/backend.js';
import { backendOf, cpuInfo } from '../backend/device.js';
import type { JsonValue } from '../io/json.js';
import { version } from '../version.js';

/** What the numbers of a run on a device depend on beyond its settings. */
export function describeMachine(device: DeviceName): { readonly [key: string]: JsonValue } {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    threads: cpuInfo().threads,
    device,
    kernels: backendOf(device).detail,
    node: process.version,
    anneal: version,
  };
}
