// The options of commands that compute on a device.
import { type Command, Option } from 'commander';
import type { Backend } from '../backend/backend.js';
import { backendOf, defaultDevice, setDevice } from '../backend/device.js';
import { request } from '../device.js';

export interface DeviceOptions {
  readonly device: 'auto' | 'cpu' | 'webgpu';
  /** A WebGPU adapter that is a CPU will do. */
  readonly allowSoftware: boolean;
}

export function withDevice(command: Command, what: string): Command {
  return command
    .addOption(new Option('--device <name>', what).choices(['auto', 'cpu', 'webgpu']).default('auto'))
    .option('--allow-software', 'take a WebGPU adapter that is a CPU, slower than --device cpu', false);
}

/** Makes the device the one to compute on. @throws E_DEVICE with the reason where it cannot be */
export async function useDevice({ device, allowSoftware }: DeviceOptions): Promise<Backend> {
  if (device === 'webgpu') await request('webgpu', { allowSoftware });
  setDevice(device);
  return backendOf(defaultDevice());
}
