// `anneal doctor`: the devices, and for each missing one the reason and what mends it.
import { cudaDetail } from '../backend/cuda.js';
import { type DeviceInfo, devices } from '../backend/device.js';
import { request } from '../device.js';

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function opened(name: string, open: () => Promise<DeviceInfo>): Promise<DeviceInfo> {
  return open().catch((error: unknown) => ({ name, available: false, detail: reasonOf(error) }));
}

/** Every CUDA device by itself: they may differ in what is wrong with them. */
async function cudaDevices(): Promise<DeviceInfo[]> {
  const { count, detail } = cudaDetail();
  if (count === 0) return [{ name: 'cuda', available: false, detail }];
  const found: DeviceInfo[] = [];
  for (let i = 0; i < count; i++) found.push(await opened(`cuda:${i}`, () => request(`cuda:${i}`)));
  return found;
}

/** Prints them and gives the exit code: 1 where there is none at all. */
export async function doctor(): Promise<number> {
  const cpu = devices().filter(({ name }) => name === 'cpu');
  const webgpu = await opened('webgpu', () => request('webgpu', { allowSoftware: true }));
  const all = [...cpu, ...(await cudaDevices()), webgpu];
  for (const { name, available, detail } of all)
    console.log(`${name.padEnd(8)} ${available ? 'ok     ' : 'missing'}  ${detail}`);
  return all.some(({ available }) => available) ? 0 : 1;
}
