// The options of commands that compute on a device.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Backend, DeviceName, Precision } from '../backend/backend.js';
import { isCudaName } from '../backend/cuda.js';
import { backendOf, defaultDevice, setDevice } from '../backend/device.js';
import { request } from '../device.js';
import { AnnealError } from '../errors.js';

export interface DeviceOptions {
  readonly device: 'auto' | DeviceName;
  /** A WebGPU adapter that is a CPU will do. */
  readonly allowSoftware: boolean;
  /** What a CUDA device's products compute in. */
  readonly precision?: Precision;
}

export function isDevice(text: string): text is DeviceOptions['device'] {
  return text === 'auto' || text === 'cpu' || text === 'webgpu' || isCudaName(text);
}

export function deviceNamed(text: string): DeviceOptions['device'] {
  if (isDevice(text)) return text;
  throw new InvalidArgumentError('Allowed choices are auto, cpu, webgpu, cuda, cuda:1 and so on.');
}

export function withDevice(command: Command, what: string): Command {
  return command
    .addOption(
      new Option('--device <name>', `${what}: auto, cpu, webgpu, cuda or cuda:1`)
        .argParser(deviceNamed)
        .default('auto'),
    )
    .option('--allow-software', 'take a WebGPU adapter that is a CPU, slower than --device cpu', false);
}

/** Makes the device the one to compute on. @throws E_DEVICE with the reason where it cannot be, E_ARGUMENT */
export async function useDevice({ device, allowSoftware, precision }: DeviceOptions): Promise<Backend> {
  if (isCudaName(device)) await request(device, precision === undefined ? {} : { precision });
  else if (precision !== undefined)
    throw new AnnealError('E_ARGUMENT', `expected --device cuda with --precision ${precision}, received ${device}`);
  if (device === 'webgpu') await request('webgpu', { allowSoftware });
  setDevice(device);
  return backendOf(defaultDevice());
}
