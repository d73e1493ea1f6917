import { cpus } from 'node:os';
import { backendOf, cpuInfo, defaultDevice } from '../backend/device.js';
import type { JsonValue } from '../io/json.js';
import { version } from '../version.js';

/** What a run's numbers depend on beyond its settings. */
export function describeMachine(): { readonly [key: string]: JsonValue } {
  const device = defaultDevice();
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
